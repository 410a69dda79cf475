-- A delivery failed: what makes it good? A model proposes; within its limits the proposal is carried out, beyond them a person is asked.
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

-- Carries a remedy out; goods that cannot be sent again are paid back.
local function carry_out(order, remedy, amount)
  local ok, err = pcall(REMEDIES[remedy].act, order, amount)
  if ok then return remedy end
  if remedy ~= "reship" or not skald.is_error(err) or err.type ~= "OutOfStock" then error(err, 0) end
  REMEDIES.refund.act(order)
  return "refund"
end

-- failure = {reason}, of "lost", "damaged", "late", "refused" or the carrier's own words. Returns {remedy, by, reason}; remedy is "none" when
-- a person said no. What nobody decides in time the rule does: `turns` are the people, see desk.lua.
function after_sales_agent.make_good(order, failure, desk, turns)
  local instead = rule(order, failure)
  local decision = agent.decide {
    agent = "after_sales", about = order.order_id, prompt = "after_sales", person = true, rule = instead, check = check(order),
    inputs = {
      order = { id = order.order_id, total = order.total, currency = order.currency or "", country = order.country or "", items = order.items },
      failure = { reason = failure.reason or "unknown", words = failure.words or "" },
    },
    tools = { ["logistics.track"] = logistics.track },
  }
  local output, by, reason = decision.output, "agent", decision.explanation
  local cost = REMEDIES[output.remedy].cost(order, output.amount)
  if cost > LIMIT or decision.confidence < SURE then
    local question = string.format("The delivery of order %s failed (%s). A %s worth %s? %s", order.order_id, failure.reason or "unknown", output.remedy,
      money(cost, order.currency), decision.explanation)
    local approved
    approved, by, reason = desk:ask(decision, question, turns, { verdict = "approved", reason = "a customer without goods is not left waiting" })
    if by == "rule" then output = instead.output end
    if not approved then output = { remedy = "none" } end
  end
  local remedy = output.remedy == "none" and "none" or carry_out(order, output.remedy, output.amount)
  desk:note(decision, remedy, by, reason)
  return { remedy = remedy, by = by, reason = reason }
end

return after_sales_agent
