-- Fails until its attempts are enough; then it has a child of its own, which does nothing.
local skald = require "skald"

return function(request)
  skald.on_query("status", function() return request end)
  local attempt = skald.info().attempt
  if attempt < request.attempts then skald.fail { type = "NotYet", message = "attempt " .. attempt } end
  if request.attempts == 1 then return attempt end
  skald.child("stubborn", { id = request.id .. "/grandchild" }) { id = request.id, attempts = 1 }
  return attempt
end
