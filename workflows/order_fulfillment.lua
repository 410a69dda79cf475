-- One order: reserve the goods, take the money, hand over to the carrier, confirm. What cannot be finished is undone in reverse order,
-- and the order then ends as "rejected" (the shop or a partner said no) or "cancelled" (the customer did).
local skald = require "skald"
local saga = require "skald.saga"

local patient = { start_to_close = "5s", schedule_to_close = "1h", retry = { initial = "200ms", backoff = 2, max_interval = "10s" } }
local inventory = skald.activities("inventory", patient)
local payment = skald.activities("payment", { start_to_close = "5s", schedule_to_close = "15m", retry = patient.retry })
local logistics = skald.activities("logistics", patient)

return function(order)
  local state, compensations, reason = "reserving", skald.array {}, nil
  skald.on_query("status", function() return { order_id = order.order_id, state = state, compensations = compensations } end)

  local function about(fields)
    fields.order_id = order.order_id
    fields.sandbox = order.sandbox
    return fields
  end

  local function undo(name, activity)
    return function()
      activity { order_id = order.order_id }
      compensations[#compensations + 1] = name
    end
  end

  local ok, err = pcall(skald.scope, function(scope)
    skald.on_signal("cancel", function(why)
      if state == "confirmed" then return end
      scope:cancel(why or "the customer cancelled")
    end)
    saga.run(function(tx)
      tx:step { "reserve",
        run = function() return inventory.reserve(about { items = order.items }) end,
        undo = undo("release", inventory.release) }
      state = "paying"
      tx:step { "pay",
        run = function() return payment.charge(about { amount = order.total, currency = order.currency }) end,
        undo = undo("refund", payment.cancel) }
      state = "shipping"
      tx:step { "ship",
        run = function() return logistics.create_waybill(about { country = order.country }) end,
        undo = undo("cancel_waybill", logistics.cancel_waybill) }
      state = "confirming"
      -- From here on there is no way back: cancelling waits outside, and the goods leave.
      skald.shielded(function() inventory.confirm(about {}) end)
      state = "confirmed"
    end)
  end)

  if ok or state == "confirmed" then return { order_id = order.order_id, outcome = "confirmed", compensations = compensations } end
  if not skald.is_error(err) or err.type == "CompensationFailed" then error(err) end
  state = err.kind == "cancelled" and "cancelled" or "rejected"
  reason = tostring(err)
  return { order_id = order.order_id, outcome = state, reason = reason, compensations = compensations }
end
