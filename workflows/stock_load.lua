-- Goods arrive: {items = {{sku, quantity}, …}}. Each run counts once, however often its activity is repeated.
local skald = require "skald"

local inventory = skald.activities("inventory", { start_to_close = "30s", schedule_to_close = "1h" })

return function(delivery)
  return inventory.load_stock { load_id = skald.info().run_id, items = delivery.items }
end
