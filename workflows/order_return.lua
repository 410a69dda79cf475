-- Goods of a confirmed order come back: they go on the shelf again, then their money goes back. {order_id, return_id, items = {{sku, quantity}, …},
-- amount}; without items and amount it is the whole order.
local skald = require "skald"

local options = { start_to_close = "5s", schedule_to_close = "1h", retry = { initial = "200ms", backoff = 2, max_interval = "10s" } }
local inventory = skald.activities("inventory", options)
local payment = skald.activities("payment", options)

-- Refusals that mean: there is nothing to give back.
local NOTHING_THERE = { NotShipped = true, NotEnoughShipped = true, PaymentNotFound = true }

return function(order)
  local return_id = order.return_id or order.order_id
  local ok, err = pcall(inventory.return_stock, { order_id = order.order_id, return_id = return_id, items = order.items })
  if not ok then
    if not skald.is_error(err) or not NOTHING_THERE[err.type] then error(err, 0) end
    return { order_id = order.order_id, outcome = "rejected", reason = tostring(err), compensations = skald.array {} }
  end
  local refund = payment.refund { order_id = order.order_id, refund_id = return_id, amount = order.amount }
  return { order_id = order.order_id, outcome = "returned", refunded = refund.refunded, compensations = skald.array {} }
end
