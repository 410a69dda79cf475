-- A day's orders, each a workflow of its own, so many at a time: {orders = {…}, at_a_time = 25}. How each ended.
local skald = require "skald"

return function(day)
  local next_order, results = 1, skald.array {}
  local function customer()
    while next_order <= #day.orders do
      local order = day.orders[next_order]
      next_order = next_order + 1
      local result = skald.child("order_with_erp", { id = "order-" .. order.order_id })(order)
      results[#results + 1] = result
    end
  end
  local customers = {}
  for i = 1, day.at_a_time or 25 do customers[i] = skald.async(customer) end
  skald.all(customers)
  return results
end
