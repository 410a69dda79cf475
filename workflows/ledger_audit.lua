-- Do the books balance? Asks every plugin for its sums.
local skald = require "skald"

local options = { start_to_close = "30s", schedule_to_close = "5m" }
local inventory = skald.activities("inventory", options)
local payment = skald.activities("payment", options)
local logistics = skald.activities("logistics", options)

return function()
  return skald.all {
    stock = inventory.audit:start {},
    money = payment.audit:start {},
    shipments = logistics.audit:start {},
  }
end
