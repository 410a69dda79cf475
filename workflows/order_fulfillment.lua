-- One order, from its goods to its parcel: lib/fulfillment.lua has the steps and the input. It ends as "confirmed", "rejected" or "cancelled".
local fulfill = require "fulfillment"

return function(order) return fulfill(order) end
