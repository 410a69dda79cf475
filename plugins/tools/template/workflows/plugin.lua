local skald = require "skald"
local saga = require "skald.saga"
local @name@ = skald.activities("@name@", { start_to_close = "10s", schedule_to_close = "1m" })

-- Wishes for what the order names. If one wish is refused, those before it are forgotten.
return function(order)
  saga.run(function(tx)
    for number, item in ipairs(order.items) do
      local wish = { wish_id = order.id .. "-" .. number, article = item.article, quantity = item.quantity }
      tx:step { "wish " .. item.article,
        run = function() return @name@.wish(wish) end,
        undo = function() return @name@.forget(wish) end }
    end
  end)
  return @name@.greet { who = order.customer, steps = 3 }
end
