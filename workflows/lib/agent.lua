-- Agents: a model is asked, runs the tools that it may, and is asked again with what they said; a rule stands beside it. docs/agents.md
-- tells how to write one.
local skald = require "skald"

local retry = { initial = "200ms", backoff = 2, max_interval = "5s" }
-- Above the prompts' own timeouts: the plugin gives the rule's decision before the activity's time is up.
local MODEL_TIME, MARGIN = 15, 5
local model = skald.activities("llm", { start_to_close = MODEL_TIME, schedule_to_close = "2m", retry = retry })
local book = skald.activities("llm", { start_to_close = "5s", schedule_to_close = "1h", retry = retry })

-- How often a model may ask for tools. The plugin's own limit is lower; this one holds whatever it says.
local MOST_ROUNDS = 8

local agent = {}

-- The rule's own decision, when not even the plugin could record it.
local function ruled(question, why)
  local rule = question.rule
  return { agent = question.agent, output = rule.output, confidence = rule.confidence or 1, explanation = rule.explanation or "", source = "rule", reason = why }
end

-- Runs the calls side by side. The model is told what failed: it may go on without.
local function run_tools(calls, tools)
  local running = {}
  for i, call in ipairs(calls) do
    local tool = tools and tools[call.activity]
    running[i] = tool and tool:start(call.input) or false
  end
  local results = skald.array {}
  for i, call in ipairs(calls) do
    if not running[i] then
      skald.log.warn("a model asked for a tool that its agent has not", { activity = call.activity })
      results[i] = { id = call.id, error = "there is no such tool" }
    else
      local ok, value = running[i]:try()
      if not ok and value.kind == "cancelled" then error(value, 0) end
      if ok then results[i] = { id = call.id, result = value == nil and skald.null or value }
      else results[i] = { id = call.id, error = tostring(value) } end
    end
  end
  return results
end

local function ask(question)
  local input = {
    -- A workflow that is started anew asks anew; one that is reset finds what it heard.
    agent = question.agent, about = question.about, reference = question.reference or skald.info().first_run_id, prompt = question.prompt, version = question.version,
    inputs = question.inputs, fallback = question.rule, timeout_ms = question.timeout_ms,
  }
  local decide = model.decide
  if question.timeout_ms then decide = decide:with { start_to_close = question.timeout_ms / 1000 + MARGIN } end
  for _ = 0, MOST_ROUNDS do
    local answer = decide(input)
    if not answer.tool_calls then return answer end
    input.continues, input.tool_results = answer.conversation, run_tools(answer.tool_calls, question.tools)
  end
  skald.fail { type = "TooManyRounds", message = "the model asks for tools again and again", non_retryable = true }
end

-- Asks: {agent, about, prompt, inputs, rule = {output, confidence, explanation}}; beside that version, reference, timeout_ms, tools =
-- {["logistics.track"] = activity, …}, check(output), which returns why an answer makes no sense, and person = true when a person may be asked
-- next (desk.lua). It gives the decision; when the model is late, wrong or away, the rule's: source is "rule" then, and reason says why.
function agent.decide(question)
  local ok, decision = pcall(ask, question)
  if not ok then
    if not skald.is_error(decision) or decision.kind == "cancelled" then error(decision, 0) end
    skald.log.warn("no answer from the model, the rule decides", { agent = question.agent, about = question.about, error = tostring(decision) })
    return ruled(question, decision.type)
  end
  decision.agent = question.agent
  local wrong = decision.source ~= "rule" and question.check and question.check(decision.output)
  if not wrong then return decision end
  local instead = ruled(question, "makes_no_sense")
  instead.decision_id, instead.replaced = decision.decision_id, wrong
  if not question.person then agent.settle(instead) end
  return instead
end

-- The book of decisions must not hold up what was decided: what it refuses is logged.
local function tell_book(activity, input)
  if not input.decision_id then return nil end
  local ok, answer = pcall(skald.shielded, function() return activity(input) end)
  if ok then return answer end
  if not skald.is_error(answer) then error(answer, 0) end
  skald.log.warn("the book of decisions did not take a note", { decision = input.decision_id, error = tostring(answer) })
end

-- Writes down that a person was asked. Returns what somebody has said already, {verdict, by, reason}, if a reset workflow asks again.
function agent.await_person(decision)
  local answer = tell_book(book.await_person, { decision_id = decision.decision_id })
  if not answer or answer.status ~= "confirmed" then return nil end
  local record = tell_book(book.decision, { decision_id = decision.decision_id })
  return record and record.confirmed
end

-- Writes down who had the last word: {verdict = "approved" or "rejected", by, reason}. Approving what the rule put in the place of the
-- model's answer changes the decision.
function agent.confirm(decision, word)
  local changes = decision.replaced and word.verdict == "approved"
  decision.replaced = nil
  tell_book(book.confirm, {
    decision_id = decision.decision_id, verdict = changes and "changed" or word.verdict, by = word.by, reason = word.reason,
    output = changes and decision.output or nil,
  })
end

-- Writes down that the rule replaced the model's answer, if it did and nobody was asked.
function agent.settle(decision)
  if decision.replaced then agent.confirm(decision, { verdict = "approved", by = "rule", reason = decision.replaced }) end
end

return agent
