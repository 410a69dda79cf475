-- Shelves are counted one after the other. An attempt that ends early leaves its place to the next one, in its last heartbeat.
local skald = require "skald"

local count = skald.activity("chore.count",
  { start_to_close = "20m", heartbeat = "5s", retry = { initial = "200ms", max_interval = "1s" } })

return function(request)
  skald.on_query("status", function() return request end)
  return { counted = count(request) }
end
