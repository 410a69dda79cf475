-- The saga of one order: reserve the goods, take the money, hand over to the carrier, confirm. What cannot be finished is undone in
-- reverse order, and the order then ends as "rejected" (the shop or a partner said no) or "cancelled" (the customer did).
local skald = require "skald"
local saga = require "skald.saga"

local patient = { start_to_close = "5s", schedule_to_close = "1h", retry = { initial = "200ms", backoff = 2, max_interval = "10s" } }
local inventory = skald.activities("inventory", patient)
local payment = skald.activities("payment", patient)
local logistics = skald.activities("logistics", patient)

local fulfillment = {}
local Flow = {}
Flow.__index = Flow

local function refuse(message) skald.fail { type = "InvalidInput", non_retryable = true, message = message } end

-- The input is a customer's: what is wrong with it ends the order, and is no bug.
local function charge_within(timeout)
  local ok, charge = pcall(payment.charge.with, payment.charge, { schedule_to_close = timeout })
  if not ok then refuse("payment_timeout must be a duration like \"15m\", or seconds") end
  return charge
end

-- The flow of this order: {order_id, items = {{sku, quantity}, …}, total, currency, country}; beside that payment_timeout ("15m"): for how
-- long the payment is tried.
function fulfillment.of(order)
  if type(order) ~= "table" then refuse("the order must be a JSON object") end
  return setmetatable({ order = order, state = "reserving", compensations = skald.array {}, charge = charge_within(order.payment_timeout or "15m") }, Flow)
end

function Flow:status() return { order_id = self.order.order_id, state = self.state, compensations = self.compensations } end

function Flow:about(fields)
  fields.order_id = self.order.order_id
  fields.sandbox = self.order.sandbox
  return fields
end

-- What had not happened ({undone = false}) was not compensated.
function Flow:undo(name, activity)
  return function()
    local answer = activity(self:about {})
    if type(answer) ~= "table" or answer.undone ~= false then self.compensations[#self.compensations + 1] = name end
  end
end

-- Runs it. `before_payment()` and `before_shipping()`, both optional, stand between the steps: an error that they throw is the order's end,
-- and what before_shipping returns is told to the carrier.
function Flow:run(hooks)
  local order = self.order
  local ok, err = pcall(skald.scope, function(scope)
    skald.on_signal("cancel", function(why)
      if self.state == "confirmed" then return end
      scope:cancel(why or "the customer cancelled")
    end)
    saga.run(function(tx)
      tx:step { "reserve",
        run = function() return inventory.reserve(self:about { items = order.items }) end,
        undo = self:undo("release", inventory.release) }
      if hooks and hooks.before_payment then
        self.state = "assessing"
        hooks.before_payment()
      end
      self.state = "paying"
      tx:step { "pay",
        run = function() return self.charge(self:about { amount = order.total, currency = order.currency }) end,
        undo = self:undo("refund", payment.cancel) }
      local parcel
      if hooks and hooks.before_shipping then
        self.state = "dispatching"
        parcel = hooks.before_shipping()
      end
      self.state = "shipping"
      tx:step { "ship",
        run = function()
          local waybill = self:about { country = order.country }
          for field, value in pairs(parcel or {}) do waybill[field] = value end
          return logistics.create_waybill(waybill)
        end,
        undo = self:undo("cancel_waybill", logistics.cancel_waybill) }
      self.state = "confirming"
      -- From here on there is no way back: cancelling waits outside, and the goods leave.
      skald.shielded(function() inventory.confirm(self:about {}) end)
      self.state = "confirmed"
    end)
  end)

  local result = { order_id = order.order_id, outcome = "confirmed", compensations = self.compensations }
  if ok or self.state == "confirmed" then return result end
  if not skald.is_error(err) or err.type == "CompensationFailed" then error(err, 0) end
  self.state = err.kind == "cancelled" and "cancelled" or "rejected"
  result.outcome, result.reason = self.state, tostring(err)
  return result
end

return fulfillment
