-- The book of decisions, for readers. {decision_id} gives that decision, with all that led to it; {about, agent, status, after, limit}, each
-- optional, a page of them, the newest first. With wait_seconds beside decision_id it answers as soon as somebody's word is in the book,
-- or when the time is up. A decision that is not there is an answer too, {not_found = "there is no …"}: nobody's workflow has failed.
local skald = require "skald"
local check = skald.check

local llm = skald.activities("llm", {
  start_to_close = "5s", schedule_to_close = "10s", retry = { initial = "200ms", backoff = 2, max_interval = "2s" },
})

local PAUSE = "250ms"

local TEXT = check.optional(check.text { from = 0 })
local QUESTION = check.object({
  decision_id = TEXT, about = TEXT, agent = TEXT, status = TEXT,
  after = check.optional(check.anything(2)),
  limit = check.optional(check.whole()),
  wait_seconds = check.optional(check.number { from = 0, up_to = 86400 }),
}, "allowed")

local function look(id)
  local ok, record = pcall(llm.decision, { decision_id = id })
  if ok then return record end
  if not skald.is_error(record) or record.type ~= "DecisionNotFound" then error(record, 0) end
  return { not_found = record.message }
end

return function(question)
  question = question or {}
  skald.check(question, QUESTION, "the question")
  if not question.decision_id then
    return llm.decisions { about = question.about, agent = question.agent, status = question.status, after = question.after, limit = question.limit }
  end
  local deadline = skald.now() + (question.wait_seconds or 0)
  local record = look(question.decision_id)
  while not record.not_found and record.status ~= "confirmed" and skald.now() < deadline do
    skald.sleep(PAUSE)
    record = look(question.decision_id)
  end
  return record
end
