-- A workflow's desk: `decisions` that were taken so far, and the one that waits for a person, `open`. People answer by the signal
-- decide {decision_id, verdict = "approved" or "rejected", by, reason}, as `skald decision approve` sends it.
local skald = require "skald"
local agent = require "agent"

local desk = {}
local Desk = {}
Desk.__index = Desk

local CANCELLED = "workflow"  -- who closes the question of a workflow that is cancelled
local VERDICTS = { approved = true, rejected = true }

local function is_text(value) return type(value) == "string" and value ~= "" end

local function is_answer(answer)
  return type(answer) == "table" and is_text(answer.decision_id) and VERDICTS[answer.verdict] and is_text(answer.by)
    and (answer.reason == nil or type(answer.reason) == "string")
end

-- An amount in minor units as people read it.
function desk.money(amount, currency) return string.format("%.2f %s", (tonumber(amount) or 0) / 100, currency or "") end

function desk.new()
  local self = setmetatable({ decisions = skald.array {}, answers = {} }, Desk)
  skald.on_signal("decide", function(answer)
    if not is_answer(answer) then
      skald.log.warn("a signal 'decide' needs decision_id, verdict (approved or rejected), by, and a reason that is a text")
    elseif not self.answers[answer.decision_id] then
      self.answers[answer.decision_id] = answer  -- the first one counts
    end
  end)
  return self
end

-- Remembers how a decision ended.
function Desk:note(decision, outcome, by, reason)
  agent.settle(decision)
  self.decisions[#self.decisions + 1] = {
    agent = decision.agent, decision_id = decision.decision_id, outcome = outcome, source = decision.source, confidence = decision.confidence,
    explanation = decision.explanation, by = by, reason = reason or decision.reason,
  }
end

-- Waits for one after the other of `turns` = {{who, within}, …}: who was asked first, to whom it goes when nobody answered in time.
function Desk:wait(decision, question, turns)
  local id = decision.decision_id or "unrecorded-" .. decision.agent
  for place, turn in ipairs(turns) do
    self.open = {
      decision_id = id, agent = decision.agent, question = question, asked = turn.who, since = skald.date(), within = turn.within, escalated = place > 1,
    }
    if place > 1 then skald.log.warn("nobody answered in time: a decision is escalated", { decision = id, to = turn.who }) end
    if skald.wait_until(function() return self.answers[id] ~= nil end, turn.within) then return self.answers[id] end
  end
end

-- Has a person decide; nobody does: the last word is the rule's, {verdict, reason}. Returns true or false, by whom, and why.
function Desk:ask(decision, question, turns, rule)
  local said = agent.await_person(decision)
  if said and said.by ~= CANCELLED then return said.verdict ~= "rejected", said.by, said.reason end
  local ok, answer = pcall(self.wait, self, decision, question, turns)
  -- An answer is one to this question, also where a later one has the same id: "unrecorded-…".
  if self.open then self.answers[self.open.decision_id] = nil end
  self.open = nil
  if not ok then
    -- Nobody needs to answer any more.
    if skald.is_error(answer) then agent.confirm(decision, { verdict = "rejected", by = CANCELLED, reason = tostring(answer) }) end
    error(answer, 0)
  end
  if not answer then answer = { verdict = rule.verdict, by = "rule", reason = "nobody decided in time: " .. rule.reason } end
  agent.confirm(decision, answer)
  return answer.verdict == "approved", answer.by, answer.reason
end

return desk
