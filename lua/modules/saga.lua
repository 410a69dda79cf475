-- Sagas: steps with compensations. docs/authoring.md, "Sagas", is the contract.
local skald = require "skald"

local saga = {}
local Transaction = {}
Transaction.__index = Transaction

local UNDO_ON = { success = true, unknown = true, always = true }

-- An application's error is an answer: the step did nothing. Anything else leaves the outcome open; so does an activity's error that could
-- have been retried: an attempt before the last one may have done it, and its answer got lost.
local function state_after(err)
  local answered = err.kind == "application" and (err.non_retryable or not err.activity)
  return answered and "failed" or "unknown"
end

local function needs_undo(entry)
  if entry.state == "done" then return true end
  if entry.state == "unknown" then return entry.undo_on ~= "success" end
  return entry.state == "failed" and entry.undo_on == "always"
end

local function text_of(err)
  return { type = err.type, message = err.message, kind = err.kind, activity = err.activity }
end

function Transaction:step(options)
  local name = options[1] or options.name
  if type(name) ~= "string" then error("tx:step: the step's name is missing: tx:step { \"name\", run = function() … end }", 2) end
  if type(options.run) ~= "function" then error("tx:step '" .. name .. "': 'run' must be a function", 2) end
  if options.undo ~= nil and type(options.undo) ~= "function" then error("tx:step '" .. name .. "': 'undo' must be a function", 2) end
  if not UNDO_ON[options.undo_on or "unknown"] then
    error("tx:step '" .. name .. "': 'undo_on' must be \"success\", \"unknown\" or \"always\"", 2)
  end
  local entry = { step = name, state = "running", undo = options.undo, undo_on = options.undo_on }
  self.entries[#self.entries + 1] = entry
  local ok, result = pcall(options.run)
  if not ok then
    if skald.is_error(result) then
      entry.state = state_after(result)
      entry.error = text_of(result)
    end
    error(result, 0)
  end
  entry.state = "done"
  entry.result = result
  return result
end

function Transaction:undo(name, fn)
  if type(name) ~= "string" or type(fn) ~= "function" then error("tx:undo(name, function): a name and a function are needed", 2) end
  self.entries[#self.entries + 1] = { step = name, state = "done", undo = fn }
end

function Transaction:log()
  local log = skald.array {}
  for i, entry in ipairs(self.entries) do
    log[i] = { step = entry.step, state = entry.state, error = entry.error }
  end
  return log
end

function Transaction:compensate()
  local failed = {}
  skald.shielded(function()
    for i = #self.entries, 1, -1 do
      local entry = self.entries[i]
      -- A branch that another step cut short has not told its outcome.
      if entry.state == "running" then entry.state = "unknown" end
      if entry.undo and needs_undo(entry) then
        entry.state = "undoing"
        local ok, err = pcall(entry.undo, entry.result)
        if ok then
          entry.state = "undone"
        else
          if not skald.is_error(err) then error(err, 0) end
          entry.state = "undo failed"
          entry.error = text_of(err)
          failed[#failed + 1] = { step = entry.step, error = text_of(err) }
        end
      end
    end
  end)
  return failed
end

-- Runs fn(tx). If it throws an error table, what was done is undone, in reverse order.
function saga.run(fn)
  local tx = setmetatable({ entries = {} }, Transaction)
  local ok, result = pcall(fn, tx)
  if ok then return result end
  if not skald.is_error(result) then error(result, 0) end
  local failed = tx:compensate()
  if #failed == 0 then error(result, 0) end
  local undone = skald.array {}
  for _, entry in ipairs(tx.entries) do
    if entry.state == "undone" then undone[#undone + 1] = entry.step end
  end
  skald.fail {
    type = "CompensationFailed",
    message = #failed .. " of the compensations failed, beginning with '" .. failed[1].step .. "', after: " .. tostring(result),
    details = { failed = skald.array(failed), undone = undone },
    cause = result,
    non_retryable = true,
  }
end

return saga
