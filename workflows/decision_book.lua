-- The book of decisions, for readers. {decision_id} gives that decision, with all that led to it; {about, agent, status, after, limit}, each
-- optional, a page of them, the newest first. With wait_seconds beside decision_id it answers as soon as somebody's word is in the book,
-- or when the time is up.
local skald = require "skald"

local llm = skald.activities("llm", {
  start_to_close = "5s", schedule_to_close = "10s", retry = { initial = "200ms", backoff = 2, max_interval = "2s" },
})

local PAUSE = "250ms"

return function(question)
  question = question or {}
  if not question.decision_id then
    return llm.decisions { about = question.about, agent = question.agent, status = question.status, after = question.after, limit = question.limit }
  end
  local deadline = skald.now() + (question.wait_seconds or 0)
  local record = llm.decision { decision_id = question.decision_id }
  while record.status ~= "confirmed" and skald.now() < deadline do
    skald.sleep(PAUSE)
    record = llm.decision { decision_id = question.decision_id }
  end
  return record
end
