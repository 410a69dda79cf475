-- A run that reads a letter and goes on as a new one, which takes along what was read. Its child fails before it succeeds, and has a child.
local skald = require "skald"

return function(state)
  skald.on_query("status", function() return state end)
  local inbox = skald.signal("letter")
  state.read = skald.array(state.read or {})
  local came, letter = inbox:receive("3s")
  if came then state.read[#state.read + 1] = letter end
  if state.links > 0 then skald.sleep(2) end
  if state.links > 0 then skald.continue_as_new { id = state.id, links = state.links - 1, read = state.read } end
  while true do
    local came, letter = inbox:receive("20s")
    if not came then break end
    state.read[#state.read + 1] = letter
  end
  local grown = skald.child("stubborn", { id = state.id .. "/child", retry = { initial = "100ms" } }) { id = state.id, attempts = 3 }
  return { read = state.read, grown = grown }
end
