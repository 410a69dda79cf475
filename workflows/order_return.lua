-- A confirmed order comes back: the goods go on the shelf again, then the money goes back.
local skald = require "skald"

local options = { start_to_close = "5s", schedule_to_close = "1h", retry = { initial = "200ms", backoff = 2, max_interval = "10s" } }
local inventory = skald.activities("inventory", options)
local payment = skald.activities("payment", options)

return function(order)
  local ok, err = pcall(inventory.return_stock, { order_id = order.order_id })
  if not ok then
    if not skald.is_error(err) or err.type ~= "NotShipped" then error(err) end
    return { order_id = order.order_id, outcome = "rejected", reason = tostring(err), compensations = skald.array {} }
  end
  local refund = payment.refund { order_id = order.order_id, refund_id = order.order_id }
  return { order_id = order.order_id, outcome = "returned", refunded = refund.refunded, compensations = skald.array {} }
end
