-- Reads letters, each against the clock, until the last one has said how many there are.
local skald = require "skald"

return function()
  local inbox = skald.signal("letter")
  local read, total, since = skald.array {}, nil, nil
  skald.on_query("status", function() return { read = read } end)
  skald.on_signal("total", function(letters) total, since = letters, skald.now() end)
  while not total or (#read < total and skald.now() < since + 120) do
    local which, letter = skald.race { letter = inbox:next(), tick = skald.timer("2s") }
    if which == "letter" then read[#read + 1] = letter end
  end
  return { read = read }
end
