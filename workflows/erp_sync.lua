-- Keeps us and the ERP in step, round after round: reads what changed there, page by page, puts goods that arrived there on our shelves, and writes
-- what changed here. It never ends by itself; start it once.
-- {every = "1m", page = 100, load_stock = true}: how often, how many records a page, and whether arrivals go to the inventory.
-- first_stock: "baseline" takes what the ERP had received before it was first read for goods that are counted already; "arrivals" (the default) loads it.
-- Arrivals that the inventory refuses stay in `unloaded` of the status, and are tried again every round.
-- Signals: now; changed {kind = "stock" or "item", sku, quantity | name, price}, something changed here; stop. Query: status.
local skald = require "skald"

local patient = { start_to_close = "30s", schedule_to_close = "1d", retry = { initial = "500ms", backoff = 2, max_interval = "1m" } }
local erp = skald.activities("erp", patient)
local inventory = skald.activities("inventory", patient)

local PUSH = { stock = erp.push_stock, item = erp.push_item }

local function fresh_counts()
  return { rounds = 0, pulled = { items = 0, stock = 0, orders = 0 }, arrived = 0, pushed = 0, conflicts = skald.array {}, problems = skald.array {}, unloaded = skald.array {} }
end

-- The latest few of a list.
local function note(list, entry)
  list[#list + 1] = entry
  if #list > 20 then table.remove(list, 1) end
end

return function(settings)
  settings = settings or {}
  local every, page_size, loads = settings.every or "1m", settings.page, settings.load_stock ~= false
  local first_stock = settings.first_stock
  local counts = settings.counts or fresh_counts()
  counts.unloaded = counts.unloaded or skald.array {}
  local state, stopped = "starting", false
  local now, changed = skald.signal("now"), skald.signal("changed")
  skald.on_signal("stop", function() stopped = true end)
  skald.on_query("status", function()
    return { state = state, rounds = counts.rounds, pulled = counts.pulled, arrived = counts.arrived, pushed = counts.pushed,
      waiting = changed:pending(), conflicts = counts.conflicts, problems = counts.problems, unloaded = counts.unloaded, synced_at = counts.synced_at }
  end)

  -- What is refused for good, or has not worked for a day, is noted; the next round goes on.
  local function try(what, activity, input)
    local ok, answer = pcall(activity, input)
    if ok then return answer end
    if not skald.is_error(answer) or answer.kind == "cancelled" then error(answer, 0) end
    note(counts.problems, { what = what, problem = tostring(answer), at = skald.date() })
    return nil, answer
  end

  -- The load has a name of its own: its goods are loaded once, however often this is tried. The page does not come back: what cannot be loaded is kept.
  local function load(arrival)
    local answer, problem = try("load " .. arrival.load_id, inventory.load_stock, { load_id = arrival.load_id, items = arrival.items })
    if answer then
      for _, line in ipairs(arrival.items) do counts.arrived = counts.arrived + line.quantity end
    elseif problem.type == "InvalidInput" and #arrival.items > 1 then
      -- One line is wrong, and nothing was loaded: the others need not wait for it.
      for _, line in ipairs(arrival.items) do load { load_id = arrival.load_id .. "/" .. line.sku, items = skald.array { line } } end
    else
      counts.unloaded[#counts.unloaded + 1] = { load_id = arrival.load_id, items = arrival.items, problem = tostring(problem) }
    end
  end

  local function load_what_is_left()
    local left = counts.unloaded
    counts.unloaded = skald.array {}
    for _, arrival in ipairs(left) do load(arrival) end
  end

  local function pull(kind)
    repeat
      local page = try("pull " .. kind, erp.pull, { what = kind, limit = page_size, first_stock = kind == "stock" and first_stock or nil })
      if not page then return end
      counts.pulled[kind] = counts.pulled[kind] + #page.changes
      if loads and page.arrivals and #page.arrivals > 0 then
        load { load_id = page.load_id, items = page.arrivals }
      end
    until not page.more
  end

  local function push(change)
    local write = type(change) == "table" and PUSH[change.kind]
    if not write then return note(counts.problems, { what = "changed", problem = "kind must be stock or item", at = skald.date() }) end
    local written = try("push " .. change.kind .. " " .. tostring(change.sku), write, change)
    if not written then return end
    counts.pushed = counts.pushed + 1
    if written.conflict then note(counts.conflicts, written.conflict) end
  end

  while true do
    state = "loading"
    load_what_is_left()
    state = "pulling"
    for _, kind in ipairs { "items", "stock", "orders" } do pull(kind) end
    state = "pushing"
    while changed:pending() > 0 do
      local _, change = changed:poll()
      push(change)
    end
    counts.rounds = counts.rounds + 1
    counts.synced_at = skald.date()
    if stopped then return counts end

    state = "waiting"
    skald.wait_until(function() return now:pending() > 0 or changed:pending() > 0 or stopped end, every)
    while now:pending() > 0 do now:poll() end
    if skald.info().continue_as_new_suggested and changed:pending() == 0 and not stopped then
      skald.continue_as_new { every = every, page = page_size, load_stock = loads, first_stock = first_stock, counts = counts }
    end
  end
end
