-- The saga of one order: reserve the goods, take the money, hand over to the carrier, confirm. What cannot be finished is undone in
-- reverse order, and the order then ends as "rejected" (the shop or a partner said no) or "cancelled" (the customer did).
-- {order_id, items = {{sku, quantity}, …}, total, currency, country}; beside that payment_timeout ("15m"): for how long the payment is tried.
local skald = require "skald"
local saga = require "skald.saga"

local patient = { start_to_close = "5s", schedule_to_close = "1h", retry = { initial = "200ms", backoff = 2, max_interval = "10s" } }
local inventory = skald.activities("inventory", patient)
local payment = skald.activities("payment", patient)
local logistics = skald.activities("logistics", patient)
-- Without a limit: after an hour without an answer the goods may have left, and then nothing may be undone.
local confirm = skald.activity("inventory.confirm", { start_to_close = patient.start_to_close, retry = patient.retry })

-- The input is a customer's: what is wrong with it ends the order, and is no bug.
local function charge_within(timeout)
  local ok, charge = pcall(payment.charge.with, payment.charge, { schedule_to_close = timeout })
  if not ok then
    skald.fail { type = "InvalidInput", non_retryable = true, message = "payment_timeout must be a duration like \"15m\", or seconds" }
  end
  return charge
end

-- Beside the order: before(step), optional, runs before "paying" and before "shipping"; an error that it throws ends the order, and
-- what it returns before "shipping" are further fields for the carrier. also(fields), optional, adds to what the query tells.
return function(order, before, also)
  if type(order) ~= "table" then skald.fail { type = "InvalidInput", non_retryable = true, message = "the order must be a JSON object" } end
  local state, compensations = "reserving", skald.array {}
  skald.on_query("status", function()
    local fields = { order_id = order.order_id, state = state, compensations = compensations }
    return also and also(fields) or fields
  end)
  local charge = charge_within(order.payment_timeout or "15m")

  local function about(fields)
    fields.order_id = order.order_id
    fields.sandbox = order.sandbox
    return fields
  end

  -- What had not happened ({undone = false}) was not compensated.
  local function undo(name, activity)
    return function()
      local answer = activity(about {})
      if type(answer) ~= "table" or answer.undone ~= false then compensations[#compensations + 1] = name end
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
      if before then before "paying" end
      state = "paying"
      tx:step { "pay",
        run = function() return charge(about { amount = order.total, currency = order.currency }) end,
        undo = undo("refund", payment.cancel) }
      local parcel = before and before "shipping" or {}
      state = "shipping"
      tx:step { "ship",
        run = function()
          parcel.country = order.country
          return logistics.create_waybill(about(parcel))
        end,
        undo = undo("cancel_waybill", logistics.cancel_waybill) }
      state = "confirming"
      -- From here on there is no way back: cancelling waits outside, and the goods leave. Only a refusal, which says that they did not, undoes.
      skald.shielded(function() confirm(about {}) end)
      state = "confirmed"
    end)
  end)

  if ok or state == "confirmed" then return { order_id = order.order_id, outcome = "confirmed", compensations = compensations } end
  if not skald.is_error(err) or err.type == "CompensationFailed" then error(err, 0) end
  state = err.kind == "cancelled" and "cancelled" or "rejected"
  return { order_id = order.order_id, outcome = state, reason = tostring(err), compensations = compensations }
end
