-- Several orders of one customer, each its own saga.
local skald = require "skald"

return function(basket)
  local state = "open"
  skald.on_query("status", function() return { state = state } end)
  local orders = {}
  for i, order in ipairs(basket.orders) do
    orders[i] = skald.child("order_fulfillment", { id = order.order_id, parent_close = "abandon" }):start(order)
  end
  skald.on_signal("cancel", function(why)
    for _, order in ipairs(orders) do pcall(order.signal, order, "cancel", why) end
  end)
  local outcomes = skald.array {}
  for i, ended in ipairs(skald.settle(orders)) do
    if not ended.ok then error(ended.error) end
    outcomes[i] = ended.value.outcome
  end
  state = "done"
  return { outcomes = outcomes }
end
