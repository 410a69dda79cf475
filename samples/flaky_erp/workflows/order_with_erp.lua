-- An order that is written to the ERP when it comes in, and again when it has ended. The ERP holds the order itself up in nothing.
local fulfill = require "fulfillment"
local erp_entry = require "erp_entry"

return function(order)
  local entry = erp_entry.open(order)
  local result = fulfill(order)
  entry:close(result)
  result.erp = entry:settle()
  return result
end
