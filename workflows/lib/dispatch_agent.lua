-- From which warehouse, with which carrier? Rules say what is possible and what it costs; a model chooses among that and says why. The
-- rule's own choice counts when the model is late, or chooses what is not there.
local skald = require "skald"
local agent = require "agent"

local options = { start_to_close = "5s", schedule_to_close = "1h", retry = { initial = "200ms", backoff = 2, max_interval = "10s" } }
local inventory = skald.activities("inventory", options)
local logistics = skald.activities("logistics", options)

-- An article's goods in one of them are the stock of "SKU@NAME".
local WAREHOUSES = { { name = "central", country = "DE" }, { name = "north", country = "NO" }, { name = "west", country = "UK" } }
local DAY_TOO_LATE = 500  -- what a day beyond the customer's wish costs, in minor units

local dispatch_agent = {}

-- How often each warehouse could send this order.
local function stock_of_warehouses(order)
  local skus = skald.array {}
  for _, item in ipairs(order.items) do
    for _, warehouse in ipairs(WAREHOUSES) do skus[#skus + 1] = item.sku .. "@" .. warehouse.name end
  end
  local on_hand = inventory.levels { skus = skus }.on_hand
  local stock = {}
  for _, warehouse in ipairs(WAREHOUSES) do
    local orders = math.huge
    for _, item in ipairs(order.items) do orders = math.min(orders, on_hand[item.sku .. "@" .. warehouse.name] // item.quantity) end
    stock[warehouse.name] = orders
  end
  return stock
end

-- Warehouse by carrier: {id, warehouse, carrier, cost, promise_days, stock}. Where nobody counts goods by warehouse, the first one sends.
function dispatch_agent.candidates(order)
  local stock, able = stock_of_warehouses(order), skald.array {}
  for _, warehouse in ipairs(WAREHOUSES) do
    if stock[warehouse.name] > 0 then able[#able + 1] = { name = warehouse.name, country = warehouse.country, stock = stock[warehouse.name] } end
  end
  if #able == 0 then able[1] = WAREHOUSES[1] end
  return logistics.candidates { items = order.items, country = order.country, warehouses = able }.candidates
end

local function score(candidate, wanted)
  local late = math.max(0, candidate.promise_days - (wanted or math.huge))
  return candidate.cost + late * DAY_TOO_LATE
end

local function best_of(candidates, wanted)
  local best = candidates[1]
  for _, candidate in ipairs(candidates) do
    if score(candidate, wanted) < score(best, wanted) then best = candidate end
  end
  return best
end

-- Returns the candidate chosen.
function dispatch_agent.choose(order, desk)
  local candidates = dispatch_agent.candidates(order)
  local by_id = {}
  for _, candidate in ipairs(candidates) do by_id[candidate.id] = candidate end
  local wanted = tonumber(order.wanted_within_days)
  local best = best_of(candidates, wanted)
  local decision = agent.decide {
    agent = "dispatch", about = order.order_id, prompt = "dispatch",
    inputs = {
      order = { id = order.order_id, country = order.country or "", items = order.items, wanted_within_days = wanted or skald.null },
      candidates = candidates,
    },
    rule = { output = { choice = best.id }, explanation = "It costs least, a late day counted as " .. DAY_TOO_LATE .. "." },
    check = function(output)
      if not by_id[output.choice] then return "'" .. tostring(output.choice) .. "' is none of the candidates" end
    end,
  }
  desk:note(decision, decision.output.choice, decision.source == "rule" and "rule" or "agent")
  return by_id[decision.output.choice]
end

return dispatch_agent
