-- One order, from its goods to its parcel: lib/fulfillment.lua has the steps and the input. It ends as "confirmed", "rejected" or "cancelled".
local skald = require "skald"
local fulfillment = require "fulfillment"

return function(order)
  local flow = fulfillment.of(order)
  skald.on_query("status", function() return flow:status() end)
  return flow:run()
end
