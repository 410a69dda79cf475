-- An anomaly of a machine is mended: a work order in the ERP, its parts reserved, a technician sent, and a person who says that it is done. What cannot be
-- finished is undone in reverse order, and the maintenance then ends as "failed" (parts are missing, nobody can do it, or nobody came) or "cancelled".
-- {reference, device, kind, site, anomaly = {sequence, score, explanation}, parts = {{sku, quantity}, …}, skill, priority, notify = a workflow's id,
--  patience = "8h", escalation_patience = "16h", sandbox}
-- After a person's "done" nothing is undone: the parts are taken and the order is completed, however long that takes; what is refused for good stands in
-- the result's `unfinished`, {{step, error}, …}.
-- Signals: done {by, notes} (by a person: without `by` it does not count); cancel reason. Query: status. `notify` gets the signals `escalated` and `maintained`.
local skald = require "skald"
local saga = require "skald.saga"

local patient = { start_to_close = "10s", schedule_to_close = "1h", retry = { initial = "200ms", backoff = 2, max_interval = "10s" } }
local erp = skald.activities("erp", patient)
local inventory = skald.activities("inventory", patient)
-- What must be done, however long a partner is away.
local steadfast = { start_to_close = "10s", retry = { initial = "200ms", backoff = 2, max_interval = "1m" } }
local finish_order = skald.activity("erp.complete_work_order", steadfast)
local take_parts = skald.activity("inventory.confirm", steadfast)

local function check(job)
  if type(job) ~= "table" or type(job.device) ~= "string" then
    skald.fail { type = "InvalidInput", non_retryable = true, message = "the maintenance must be a JSON object with the device it is for" }
  end
end

return function(job)
  check(job)
  local reference = job.reference or skald.info().workflow_id
  local anomaly = job.anomaly or {}
  local state, compensations, unfinished = "ordering", skald.array {}, skald.array {}
  local order, technician, confirmation, escalated
  skald.on_query("status", function()
    return { reference = reference, device = job.device, state = state, work_order = order and order.work_order, technician = technician,
      escalated = escalated, confirmed_by = confirmation and confirmation.by, compensations = compensations }
  end)

  -- Whoever waits for news gets it also when this workflow is cancelled.
  local function tell(signal, news)
    if not job.notify then return end
    news.reference = reference
    local ok, err = pcall(skald.shielded, function() skald.signal_external(job.notify, signal, news) end)
    if not ok and not skald.is_error(err) then error(err, 0) end
  end

  local function about(fields)
    fields.sandbox = job.sandbox
    return fields
  end

  -- What had not happened ({undone = false}) was not compensated.
  local function undo(name, run)
    return function()
      local answer = run()
      if type(answer) ~= "table" or answer.undone ~= false then compensations[#compensations + 1] = name end
    end
  end

  -- A person's word, or nil when it did not come in time.
  local done = skald.signal("done")
  local function wait_for_person(patience)
    local timer = skald.timer(patience)
    repeat
      skald.wait_until(function() return done:pending() > 0 or timer:ready() end)
      local got, word = done:poll()
      if got and type(word) == "table" and type(word.by) == "string" and word.by ~= "" then
        if not timer:ready() then timer:cancel() end
        return word
      end
      if got then skald.log.warn("nobody's name stands under this confirmation: it does not count", { reference = reference }) end
    until timer:ready() and done:pending() == 0
  end

  local function await_confirmation()
    state = "waiting"
    local word = wait_for_person(job.patience or "8h")
    if word then return word end
    state, escalated = "escalated", true
    tell("escalated", { technician = technician, work_order = order.work_order })
    word = wait_for_person(job.escalation_patience or "16h")
    if word then return word end
    skald.fail { type = "NobodyCame", non_retryable = true, message = "nobody confirmed work order " .. tostring(order.work_order) .. " in time" }
  end

  local why = { reserving = "its parts are not there", assigning = "no technician can do it", escalated = "nobody came" }
  local ok, err = pcall(skald.scope, function(scope)
    skald.on_signal("cancel", function(reason)
      if state == "finishing" or state == "done" then return end
      scope:cancel(reason or "it is not needed any more")
    end)
    saga.run(function(tx)
      order = tx:step { "work order",
        run = function()
          return erp.create_work_order(about { reference = reference, asset = job.device, kind = "repair", priority = job.priority, parts = job.parts,
            description = anomaly.explanation or ("maintenance of " .. job.device) })
        end,
        undo = undo("cancel_work_order", function() return erp.cancel_work_order(about { reference = reference, reason = why[state] or "it is not needed any more" }) end) }
      if job.parts and #job.parts > 0 then
        state = "reserving"
        tx:step { "parts",
          run = function() return inventory.reserve(about { order_id = reference, items = job.parts }) end,
          undo = undo("release_parts", function() return inventory.release(about { order_id = reference }) end) }
      end
      state = "assigning"
      local assigned = erp.assign_work_order(about { reference = reference, skill = job.skill }).technician
      technician = type(assigned) == "table" and assigned.name or assigned
      confirmation = await_confirmation()
      state = "finishing"
    end)
  end)

  -- The machine is mended: there is no way back. What a partner refuses for good is not undone either, but told.
  local function finish(name, activity, input)
    local fine, why = pcall(function() return skald.shielded(function() return activity(about(input)) end) end)
    if fine then return end
    if not skald.is_error(why) then error(why, 0) end
    skald.log.error("the machine is mended, but its books are not in order", { reference = reference, step = name, error = tostring(why) })
    unfinished[#unfinished + 1] = { step = name, error = tostring(why) }
  end
  if state == "finishing" then
    if job.parts and #job.parts > 0 then finish("inventory.confirm", take_parts, { order_id = reference }) end
    finish("erp.complete_work_order", finish_order, { reference = reference, by = confirmation.by, notes = confirmation.notes })
    state = "done"
  end

  local result = { reference = reference, device = job.device, work_order = order and order.work_order, technician = technician, escalated = escalated,
    compensations = compensations }
  if state == "done" then
    result.outcome, result.confirmed_by, result.notes = "done", confirmation.by, confirmation.notes
    if #unfinished > 0 then result.unfinished = unfinished end
  else
    if not skald.is_error(err) then error(err, 0) end
    if err.type == "CompensationFailed" then
      tell("maintained", { outcome = "failed", reason = tostring(err) })
      error(err, 0)
    end
    state = err.kind == "cancelled" and "cancelled" or "failed"
    result.outcome, result.reason = state, tostring(err)
  end
  tell("maintained", { outcome = result.outcome, reason = result.reason })
  return result
end
