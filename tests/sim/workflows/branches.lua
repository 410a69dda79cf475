-- An order whose steps run in a branch, beside another one that says no before long, or not at all; or whose customer complains, which is
-- a signal that fails.
local skald = require "skald"
local saga = require "skald.saga"

local options = { start_to_close = "5s", schedule_to_close = "1h", retry = { initial = "200ms", max_interval = "10s" } }
local inventory = skald.activities("inventory", options)
local payment = skald.activities("payment", options)
local logistics = skald.activities("logistics", options)

return function(order)
  local about = { order_id = order.order_id }
  skald.on_query("status", function() return about end)
  local confirming = false
  skald.on_signal("complain", function(what)
    if not confirming then skald.fail { type = "Complaint", message = what, non_retryable = true } end
  end)

  local function fulfil(tx)
    tx:step { "reserve",
      run = function() return inventory.reserve { order_id = order.order_id, items = order.items } end,
      undo = function() inventory.release(about) end }
    tx:step { "pay",
      run = function() return payment.charge { order_id = order.order_id, amount = order.total, currency = order.currency } end,
      undo = function() payment.cancel(about) end }
    tx:step { "ship",
      run = function() return logistics.create_waybill(about) end,
      undo = function() logistics.cancel_waybill(about) end }
  end

  local function look_into_it()
    skald.sleep(order.looked_into)
    if order.refused then skald.fail { type = "Refused", message = "looked into", non_retryable = true } end
  end

  local ok, err = pcall(saga.run, function(tx)
    skald.all { skald.async(fulfil, tx), skald.async(look_into_it) }
    confirming = true
    skald.shielded(function() skald.activity("inventory.confirm", { start_to_close = "5s", retry = options.retry })(about) end)
  end)
  if ok then return { order_id = order.order_id, outcome = "confirmed" } end
  if not skald.is_error(err) or err.type == "CompensationFailed" then error(err, 0) end
  return { order_id = order.order_id, outcome = "rejected", reason = tostring(err) }
end
