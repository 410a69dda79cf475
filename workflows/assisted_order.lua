-- One order with agents beside it: the goods are reserved, a risk agent looks at it before it is paid, a dispatch agent chooses warehouse and
-- carrier, and when the delivery fails an after-sales agent makes it good. The ERP hears of the order and of its end.
-- The input is order_fulfillment's (lib/fulfillment.lua), and note, customer = {name, previous_orders, chargebacks, …}, wanted_within_days;
-- decide_within ("30m") and escalate_within ("4h"): for how long people are asked; delivery_within ("14d"): for how long it listens to
-- the signal delivery {state = "delivered" or "failed", reason, words}. People answer by the signal `decide`: lib/desk.lua.
local skald = require "skald"
local fulfill = require "fulfillment"
local desks = require "desk"
local risk_agent = require "risk_agent"
local dispatch_agent = require "dispatch_agent"
local after_sales_agent = require "after_sales_agent"
local erp_entry = require "erp_entry"

-- A duration of the customer's order, checked.
local function duration(order, field, otherwise)
  local value = order[field]
  if value == nil then return otherwise end
  if value == 0 or pcall(skald.activity, "check", { start_to_close = value }) then return value end
  skald.fail { type = "InvalidInput", non_retryable = true, message = field .. " must be a duration like \"" .. otherwise .. "\", or seconds" }
end

-- Who is asked, and who after that.
local function people(order, first, second)
  return { { who = first, within = duration(order, "decide_within", "30m") }, { who = second, within = duration(order, "escalate_within", "4h") } }
end

-- What the carrier says of the parcel, or "unknown" when it says nothing in time.
local function wait_for_delivery(within)
  local signal = skald.signal("delivery")
  local ok, heard, delivery = pcall(function()
    if within == 0 then return signal:poll() end
    return signal:receive(within)
  end)
  if not ok and (not skald.is_error(heard) or heard.kind ~= "cancelled") then error(heard, 0) end
  if not ok or not heard or type(delivery) ~= "table" then return { state = "unknown" } end
  return delivery
end

return function(order)
  if type(order) ~= "table" then return fulfill(order) end
  local risk_people = people(order, "risk desk", "head of payments")
  local service_people = people(order, "customer service", "head of service")
  local delivery_within = duration(order, "delivery_within", "14d")
  local desk, entry = desks.new(), erp_entry.open(order)
  local stage, parcel

  local agents = {
    paying = function()
      stage = "assessing"
      risk_agent.assess(order, desk, risk_people)
    end,
    shipping = function()
      stage = "dispatching"
      parcel = dispatch_agent.choose(order, desk)
      return { warehouse = parcel.warehouse, carrier = parcel.carrier }
    end,
  }
  local ok, result = pcall(fulfill, order,
    function(step)
      local more = agents[step]()
      stage = nil
      return more
    end,
    function(status)
      status.state = stage or status.state
      status.decisions, status.open_decision = desk.decisions, desk.open
      return status
    end)
  stage = nil
  if not ok then
    if skald.is_error(result) then
      entry:close { outcome = "rejected", reason = tostring(result) }
      entry:settle()
    end
    error(result, 0)
  end
  entry:close(result)

  if result.outcome == "confirmed" then
    stage = "delivering"
    local delivery = wait_for_delivery(delivery_within)
    result.parcel, result.delivery = parcel, delivery.state
    if delivery.state == "failed" then
      stage = "making good"
      result.after_sales = after_sales_agent.make_good(order, delivery, desk, service_people)
      if result.after_sales.remedy == "refund" then entry:close { outcome = "returned", reason = "the delivery failed" } end
    end
    stage = nil
  end
  result.decisions = desk.decisions
  result.erp = entry:settle()
  return result
end
