-- May this order be paid? A model assesses it; what it is not sure of, or finds risky, a person decides.
local skald = require "skald"
local agent = require "agent"
local money = require "desk".money

local ASK_ABOVE = 0.5      -- a risk from which a person looks at it
local REJECT_ABOVE = 0.9   -- a risk from which nobody needs to
local SURE = 0.7           -- a confidence below which a person looks at it
local SMALL = 50000        -- a total, in minor units, that the rule approves

local risk_agent = {}

local function is_small(order) return (tonumber(order.total) or math.huge) <= SMALL end

-- Without a model: what is small is approved, a person looks at the rest.
local function rule(order)
  if is_small(order) then return { output = { verdict = "approve", risk = 0.2 }, explanation = "The total is small." } end
  return { output = { verdict = "review", risk = 0.6 }, explanation = "The total is not small." }
end

-- Without a person either: what is small is approved, the rest is not.
local function last_word(order)
  if is_small(order) then return { verdict = "approved", reason = "the total is small" } end
  return { verdict = "rejected", reason = "the total is not small" }
end

-- "approved", "rejected", or nil: a person is to say.
local function verdict_of(decision)
  local output = decision.output
  if decision.confidence < SURE then return nil end
  if output.verdict == "approve" and output.risk < ASK_ABOVE then return "approved" end
  if output.verdict == "reject" and output.risk >= REJECT_ABOVE then return "rejected" end
end

local function question_to_a_person(order, decision)
  return string.format("May order %s over %s be paid? The risk is said to be %.2f: %s", order.order_id, money(order.total, order.currency),
    decision.output.risk, decision.explanation)
end

-- Returns when the order may be paid, and throws RiskRejected when it may not. `turns` are the people: desk.lua.
function risk_agent.assess(order, desk, turns)
  local decision = agent.decide {
    agent = "risk", about = order.order_id, prompt = "order_risk", person = true, rule = rule(order),
    inputs = {
      order = { id = order.order_id, total = order.total, currency = order.currency or "", country = order.country or "", items = order.items,
        note = order.note or "" },
      customer = order.customer or {},
    },
    tools = { ["erp.order"] = skald.activity("erp.order", { start_to_close = "5s", schedule_to_close = "10s" }) },
  }
  local verdict, by, reason = verdict_of(decision), "agent", decision.explanation
  if not verdict then
    local approved
    approved, by, reason = desk:ask(decision, question_to_a_person(order, decision), turns, last_word(order))
    verdict = approved and "approved" or "rejected"
  end
  desk:note(decision, verdict, by, reason)
  if verdict == "approved" then return end
  skald.fail { type = "RiskRejected", message = by .. ": " .. (reason or "no reason was given"), non_retryable = true, details = { decision_id = decision.decision_id } }
end

return risk_agent
