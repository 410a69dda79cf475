-- Sleeps for a day, as an order does that waits for its delivery.
local skald = require "skald"

return function(order)
  local state = "waiting"
  skald.on_query("state", function() return state end)
  skald.sleep("24h")
  state = "over"
  return { order_id = order.order_id, state = state }
end
