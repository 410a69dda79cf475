-- Sagas: steps with compensations. docs/authoring.md, "Sagas", is the contract.
local skald = require "skald"
local host = select(2, ...)

local saga = {}
local Transaction = {}
Transaction.__index = Transaction

local UNDO_ON = { success = true, unknown = true, always = true }
local UNDO = { ["in turn"] = true, parallel = true }
-- Seconds before a compensation that failed is tried again.
local FIRST_PAUSE, LONGEST_PAUSE = 1, 600

local open = {}     -- this run's sagas that have not ended
local hanging = {}  -- entries whose compensation does not succeed
local noted         -- what the memo says of them

-- For a step that leaves nothing to be undone.
function saga.nothing() end

-- Only a single activity's final refusal, or an error of the step's own before it began anything, says that nothing was done. An activity's
-- error that could have been retried leaves it open: an attempt before the last one may have done it, and its answer got lost.
local function state_after(err, begun)
  if err.kind ~= "application" then return "unknown" end
  if host.version < 2 then return (err.non_retryable or not err.activity) and "failed" or "unknown" end
  if err.child or begun > 1 then return "unknown" end
  if err.activity then return err.non_retryable and "failed" or "unknown" end
  return begun == 0 and "failed" or "unknown"
end

local function needs_undo(entry)
  if not entry.undo or entry.undo == saga.nothing then return false end
  if entry.state == "done" then return true end
  if entry.state == "unknown" then return entry.undo_on ~= "success" end
  return entry.state == "failed" and entry.undo_on == "always"
end

local function text_of(err)
  return { type = err.type, message = err.message, kind = err.kind, activity = err.activity }
end

local function check_step(options)
  if type(options) ~= "table" then error("tx:step: a table is needed: tx:step { \"name\", run = function() … end, undo = function() … end }", 3) end
  local name = options[1] or options.name
  if type(name) ~= "string" then error("tx:step: the step's name is missing: tx:step { \"name\", run = function() … end, undo = function() … end }", 3) end
  local what = "tx:step '" .. name .. "'"
  host.check(options, what, { "name", "run", "undo", "undo_on" })
  if type(options.run) ~= "function" then error(what .. ": 'run' must be a function", 3) end
  if options.undo ~= nil and type(options.undo) ~= "function" then error(what .. ": 'undo' must be a function", 3) end
  if not UNDO_ON[options.undo_on or "unknown"] then error(what .. ": 'undo_on' must be \"success\", \"unknown\" or \"always\"", 3) end
  if options.undo == nil then
    host.warn_once(what .. " has no 'undo': when the saga fails it stays done; where that is meant write undo = saga.nothing")
  end
  return name
end

-- When steps end, the last one is undone first.
local function ended(tx, entry)
  tx.ended = tx.ended + 1
  entry.place = tx.ended
end

function Transaction:step(options)
  local name = check_step(options)
  if self.failed then host.throw_cancelled("the saga has failed: step '" .. name .. "' does not begin") end
  if self.over then
    skald.fail { type = "SagaEnded", non_retryable = true, message = "the saga has ended: nobody would undo step '" .. name .. "'" }
  end
  local entry = { step = name, state = "running", undo = options.undo, undo_on = options.undo_on }
  self.entries[#self.entries + 1] = entry
  self.running = self.running + 1
  local ok, result, begun = host.attempt(self.scope, options.run)
  self.running = self.running - 1
  ended(self, entry)
  if ok then
    entry.state, entry.result = "done", result
    return result
  end
  if skald.is_error(result) then
    entry.state, entry.error = state_after(result, begun), text_of(result)
  else
    entry.state = "unknown"
  end
  error(result, 0)
end

function Transaction:log()
  local log = skald.array {}
  for i, entry in ipairs(self.entries) do
    log[i] = { step = entry.step, state = entry.state, error = entry.error, attempts = entry.attempts, since = entry.since }
  end
  return log
end

-- Says in the run's memo which compensations hang.
local function note()
  local words = {}
  for i, entry in ipairs(hanging) do
    words[i] = "undoing '" .. entry.step .. "' fails since " .. entry.since .. ": " .. entry.why
  end
  local text = #words > 0 and table.concat(words, "; ") or nil
  if text == noted then return end
  noted = text
  skald.set_memo { compensation = text or skald.null }
end

local function hangs(entry, err, pause)
  if not entry.since then
    entry.since = skald.date()
    hanging[#hanging + 1] = entry
  end
  entry.why = tostring(err)
  note()
  skald.log.error("a compensation failed and is tried again",
    { step = entry.step, error = entry.why, attempts = entry.attempts, since = entry.since, again_in_seconds = pause })
end

local function hangs_no_more(entry)
  for i, each in ipairs(hanging) do
    if each == entry then
      table.remove(hanging, i)
      break
    end
  end
  if entry.since then note() end
end

-- Calls it until it succeeds or is refused for good. Returns nothing, or the refusal.
local function undo(entry)
  local pause = FIRST_PAUSE
  entry.state, entry.attempts = "undoing", 0
  while true do
    entry.attempts = entry.attempts + 1
    local ok, err = pcall(entry.undo, entry.result)
    if ok then
      entry.state = "undone"
      return hangs_no_more(entry)
    end
    if not skald.is_error(err) then host.fail_task(err) end
    entry.error = text_of(err)
    if host.version < 2 or (err.kind == "application" and err.non_retryable) then
      entry.state = "undo failed"
      hangs_no_more(entry)
      return err
    end
    hangs(entry, err, pause)
    skald.sleep(pause)
    pause = math.min(pause * 2, LONGEST_PAUSE)
  end
end

-- The entry to be undone next: of those that have ended the last.
local function next_to_undo(tx)
  local last
  for _, entry in ipairs(tx.entries) do
    if needs_undo(entry) and (not last or entry.place > last.place) then last = entry end
  end
  return last
end

local function undo_next(tx, failed)
  local entry = next_to_undo(tx)
  if not entry then return false end
  tx.undoing = tx.undoing + 1
  local err = undo(entry)
  tx.undoing = tx.undoing - 1
  if err then failed[#failed + 1] = { step = entry.step, error = text_of(err) } end
  return true
end

-- Undoes what has ended. Shielded by the caller.
local function undo_all(tx, failed)
  if tx.undo_order ~= "parallel" then
    while undo_next(tx, failed) do end
    return
  end
  local branches = {}
  for _, entry in ipairs(tx.entries) do
    if needs_undo(entry) then branches[#branches + 1] = skald.async(undo_next, tx, failed) end
  end
  skald.all(branches)
end

-- Neither a step nor a compensation of it is under way, nor a saga within it.
local function is_quiet(tx)
  if tx.running > 0 or tx.undoing > 0 then return false end
  for _, other in ipairs(open) do
    if other ~= tx and host.within(other.scope, tx.scope) then return false end
  end
  return true
end

local function wait_until_quiet(tx)
  if not is_quiet(tx) then skald.wait_until(function() return is_quiet(tx) end) end
end

-- Undoes everything that has ended so far. Returns the list of failed compensations.
function Transaction:compensate()
  local failed = skald.array {}
  skald.shielded(function() undo_all(self, failed) end)
  return failed
end

-- Adds a compensation without a step. What comes when the saga has failed is undone, too.
function Transaction:undo(name, fn)
  if type(name) ~= "string" or type(fn) ~= "function" then error("tx:undo(name, function): a name and a function are needed", 2) end
  local entry = { step = name, state = "done", undo = fn }
  ended(self, entry)
  self.entries[#self.entries + 1] = entry
  if self.failed and self.over then self:compensate() end
end

local function close(tx)
  tx.over = true
  for i, each in ipairs(open) do
    if each == tx then table.remove(open, i) end
  end
  host.close()
end

local function compensate(tx)
  local failed = skald.array {}
  skald.shielded(function()
    repeat
      wait_until_quiet(tx)
      undo_all(tx, failed)
    until is_quiet(tx) and not next_to_undo(tx)
  end)
  return failed
end

-- Runs fn(tx). If it throws an error table, what was done is undone, in reverse order. options.undo = "parallel": all at once.
function saga.run(options, fn)
  if fn == nil then options, fn = {}, options end
  host.check(options, "saga.run", { "undo" })
  if type(fn) ~= "function" then error("saga.run: a function is needed: saga.run(function(tx) … end)", 2) end
  if not UNDO[options.undo or "in turn"] then error("saga.run: 'undo' must be \"in turn\" or \"parallel\"", 2) end
  local tx = setmetatable({ entries = {}, ended = 0, running = 0, undoing = 0, undo_order = options.undo }, Transaction)
  host.open()
  local ok, result = pcall(skald.scope, function(scope)
    tx.scope = scope
    open[#open + 1] = tx
    local value = fn(tx)
    wait_until_quiet(tx)
    host.throw_unasked(scope)
    return value
  end)
  if ok then
    close(tx)
    return result
  end
  if not skald.is_error(result) then host.fail_task(result) end
  tx.failed = true
  local failed = compensate(tx)
  close(tx)
  if #failed == 0 then error(result, 0) end
  local undone = skald.array {}
  for _, entry in ipairs(tx.entries) do
    if entry.state == "undone" then undone[#undone + 1] = entry.step end
  end
  skald.fail {
    type = "CompensationFailed",
    message = #failed .. " of the compensations failed, beginning with '" .. failed[1].step .. "', after: " .. tostring(result),
    details = { failed = failed, undone = undone },
    cause = result,
    non_retryable = true,
  }
end

-- The compensations of this run that do not succeed: {step, since, attempts, error}, for a query.
function saga.hanging()
  local list = skald.array {}
  for i, entry in ipairs(hanging) do list[i] = { step = entry.step, since = entry.since, attempts = entry.attempts, error = entry.why } end
  return list
end

return saga
