-- Do the books of the machines' upkeep balance? Every report, every part, and every work order, as the ERP has it.
local skald = require "skald"

local options = { start_to_close = "30s", schedule_to_close = "5m" }
local devices = skald.activities("devices", options)
local inventory = skald.activities("inventory", options)
local erp = skald.activities("erp", options)

return function()
  return skald.all {
    reports = devices.audit:start {},
    parts = inventory.audit:start {},
    work_orders = erp.audit:start {},
  }
end
