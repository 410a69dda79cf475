-- An order's entry in the ERP, written beside the order: an ERP that is away holds nothing up but its own entry.
local skald = require "skald"

local erp = skald.activities("erp", {
  start_to_close = "10s", schedule_to_close = "1d", retry = { initial = "500ms", backoff = 2, max_interval = "1m" },
})

local erp_entry = {}
local Entry = {}
Entry.__index = Entry

-- One after the other, whatever becomes of the order's own scope.
function Entry:write(activity, input)
  local before = self.last
  self.last = skald.shielded(function()
    return skald.async(function()
      if before then before:get() end
      return activity(input)
    end)
  end)
end

local function name_of(customer) return type(customer) == "table" and type(customer.name) == "string" and customer.name or nil end

function erp_entry.open(order)
  local self = setmetatable({ order_id = order.order_id }, Entry)
  self:write(erp.push_order, {
    order_id = order.order_id, items = order.items, total = order.total, currency = order.currency, country = order.country, customer = name_of(order.customer),
  })
  return self
end

-- Tells how the order ended: {outcome, reason, compensations}.
function Entry:close(result)
  self:write(erp.push_outcome, { order_id = self.order_id, outcome = result.outcome, reason = result.reason, compensations = result.compensations })
end

-- Waits until all is written. Returns "written", or why it is not.
function Entry:settle()
  local ok, err = skald.shielded(function() return self.last:try() end)
  if ok then return "written" end
  if not skald.is_error(err) then error(err, 0) end
  skald.log.error("the ERP did not take an order's entry", { order = self.order_id, error = tostring(err) })
  return tostring(err)
end

return erp_entry
