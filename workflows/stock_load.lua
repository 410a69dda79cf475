-- Goods arrive: {items = {{sku, quantity}, …}}. Each run counts once, however often its activity is repeated.
local skald = require "skald"
local check = skald.check

local inventory = skald.activities("inventory", { start_to_close = "30s", schedule_to_close = "1h" })

local LINE = check.object({ sku = check.text { up_to = 1000 }, quantity = check.whole { from = 1, up_to = 1000000000 } }, "allowed")
local DELIVERY = check.object({ items = check.list(LINE, { up_to = 20000 }) }, "allowed")

return function(delivery)
  skald.check(delivery, DELIVERY, "the delivery")
  return inventory.load_stock { load_id = skald.info().run_id, items = delivery.items }
end
