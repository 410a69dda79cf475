-- A delivery failed: what makes it good? A model proposes; within its limits the proposal is carried out, beyond them, and when
-- it could not be carried out, a person is asked.
local skald = require "skald"
local saga = require "skald.saga"
local agent = require "agent"
local money = require "desk".money

local options = { start_to_close = "5s", schedule_to_close = "1h", retry = { initial = "200ms", backoff = 2, max_interval = "10s" } }
local inventory = skald.activities("inventory", options)
local payment = skald.activities("payment", options)
local logistics = skald.activities("logistics", options)

local LIMIT = 10000     -- what a remedy may cost, in minor units, without a person
local SURE = 0.7        -- a confidence below which a person looks at it
local DISCOUNT = 0.1    -- the rule's share for a late parcel

local after_sales_agent = {}

-- Sends the goods again, under a reservation and a shipment of their own.
local function reship(order)
  local again = order.order_id .. "/again"
  saga.run(function(tx)
    local function about(fields)
      fields.order_id, fields.sandbox = order.order_id, order.sandbox
      return fields
    end
    tx:step { "reserve",
      run = function() return inventory.reserve(about { reservation_id = again, items = order.items }) end,
      undo = function() inventory.release(about { reservation_id = again }) end }
    tx:step { "ship",
      run = function() return logistics.create_waybill(about { shipment_id = again, country = order.country }) end,
      undo = function() logistics.cancel_waybill(about { shipment_id = again }) end }
    inventory.confirm(about { reservation_id = again })
  end)
end

local function pay_back(order, amount)
  payment.refund { order_id = order.order_id, refund_id = order.order_id .. "/after-sales", amount = amount, sandbox = order.sandbox }
end

-- Each remedy: what it costs, and how it is done.
local REMEDIES = {
  reship = { cost = function(order) return order.total end, act = reship },
  refund = { cost = function(order) return order.total end, act = function(order) pay_back(order, order.total) end },
  discount = { cost = function(_, amount) return amount end, act = pay_back },
}

local function rule(order, failure)
  if failure.reason == "late" then
    return { output = { remedy = "discount", amount = math.max(1, math.floor(order.total * DISCOUNT)) }, explanation = "A late parcel is worth a discount." }
  end
  return { output = { remedy = "refund", amount = order.total }, explanation = "What does not arrive is not paid." }
end

local function check(order)
  return function(output)
    if not REMEDIES[output.remedy] then return "there is no remedy '" .. tostring(output.remedy) .. "'" end
    local amount = output.amount
    if output.remedy == "discount" and (math.type(amount) ~= "integer" or amount < 1 or amount > order.total) then
      return "a discount of " .. tostring(amount) .. " on a total of " .. order.total .. " makes no sense"
    end
  end
end

-- Carries a remedy out; goods that cannot be sent again are paid back. Returns what was done; or nil, and what could not be done and why.
local function carry_out(order, remedy, amount)
  local ok, err = pcall(REMEDIES[remedy].act, order, amount)
  if ok then return remedy end
  if not skald.is_error(err) or err.kind == "cancelled" then error(err, 0) end
  if remedy == "reship" and err.type == "OutOfStock" then return carry_out(order, "refund") end
  return nil, string.format("a %s could not be carried out (%s)", remedy, tostring(err))
end

-- A proposal; `failed` says what an earlier one came to, if there was one: this one is a decision of its own.
local function propose(order, failure, failed, attempt, instead)
  local words = failure.words or ""
  if failed then words = words .. (words == "" and "" or "; ") .. failed end
  return agent.decide {
    agent = "after_sales", about = order.order_id, prompt = "after_sales", person = true, rule = instead, check = check(order),
    reference = failed and skald.info().first_run_id .. "/" .. attempt or nil,
    inputs = {
      order = { id = order.order_id, total = order.total, currency = order.currency or "", country = order.country or "", items = order.items },
      failure = { reason = failure.reason or "unknown", words = words },
    },
    tools = { ["logistics.track"] = logistics.track },
  }
end

-- Has a person look at what is dear, doubtful, or has failed before. Returns the remedy or nil, by whom, why, and whether anybody was asked.
local function judge(order, failure, failed, decision, instead, desk, turns)
  local output = decision.output
  local cost = REMEDIES[output.remedy].cost(order, output.amount)
  if not failed and cost <= LIMIT and decision.confidence >= SURE then return output, "agent", decision.explanation, false end
  local question = string.format("The delivery of order %s failed (%s)%s. A %s worth %s? %s", order.order_id, failure.reason or "unknown",
    failed and ", and " .. failed or "", output.remedy, money(cost, order.currency), decision.explanation)
  local rule = { verdict = "approved", reason = "a customer without goods is not left waiting" }
  if failed then rule = { verdict = "rejected", reason = "what failed is not tried again without a person" } end
  local approved, by, reason = desk:ask(decision, question, turns, rule)
  if not approved then return nil, by, reason, true end
  return by == "rule" and instead.output or output, by, reason, true
end

-- failure = {reason}, of "lost", "damaged", "late", "refused" or the carrier's own words. Returns {remedy, by, reason}; remedy is "none" when
-- a person said no, and "failed" when it could not be carried out and nobody wants another try. What nobody decides in time the rule does:
-- `turns` are the people, see desk.lua.
function after_sales_agent.make_good(order, failure, desk, turns)
  local instead = rule(order, failure)
  local failed
  local attempt = 0
  while true do
    attempt = attempt + 1
    local decision = propose(order, failure, failed, attempt, instead)
    local output, by, reason, asked = judge(order, failure, failed, decision, instead, desk, turns)
    if not output then
      local remedy = failed and "failed" or "none"
      desk:note(decision, remedy, by, reason)
      return { remedy = remedy, by = by, reason = failed and failed .. "; " .. (reason or "") or reason }
    end
    local done, why = carry_out(order, output.remedy, output.amount)
    if done then
      desk:note(decision, done, by, reason)
      return { remedy = done, by = by, reason = reason }
    end
    skald.log.warn("a remedy failed: a person is asked", { order = order.order_id, error = why })
    -- The book must not let it stand as if it had been done; what a person said stays theirs.
    if not asked then agent.confirm(decision, { verdict = "rejected", by = "rule", reason = why }) end
    desk:note(decision, "failed", by, why)
    failed = why
  end
end

return after_sales_agent
