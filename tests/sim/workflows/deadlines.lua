-- Each deadline of an activity, met and missed.
local skald = require "skald"

local function how_it_ends(type, options)
  local ok, err = pcall(skald.activity(type, options), {})
  return ok and "done" or err.timeout or err.type
end

return function()
  skald.on_query("status", function() return {} end)
  return skald.all {
    unseen = skald.async(how_it_ends, "chore.rest",
      { schedule_to_start = "4s", start_to_close = "1m", task_queue = "nobody" }),
    rested = skald.async(how_it_ends, "chore.rest", { schedule_to_start = "4s", start_to_close = "1m" }),
    hopeless = skald.async(how_it_ends, "chore.fail",
      { start_to_close = "5s", schedule_to_close = "20s", retry = { initial = "500ms" } }),
  }
end
