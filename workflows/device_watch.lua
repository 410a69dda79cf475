-- One machine under watch, for as long as it lives. Reports come by the signal `readings` (one, or a list of them), in any order and more than once;
-- when its readings are unusual a maintenance is started, one for each anomaly.
-- {device, kind, site, first_sequence = 1, threshold = 0.8, clear = 0.5, gap_patience = 600 (seconds), reports_per_run = 500,
--  maintenance = {parts, skill, priority, patience, escalation_patience}}
-- Signals: readings; stop; rearm (a person wants another maintenance for an anomaly whose last one did not mend it). Query: status, whose `missing`
-- names the reports to be sent again. From its maintenance it hears `escalated` and `maintained`.
local skald = require "skald"

-- A report is never given up: its activities are tried for as long as it takes.
local devices = skald.activities("devices", { start_to_close = "10s", retry = { initial = "200ms", backoff = 2, max_interval = "10s" } })

local at_a_time = 50

local function invalid(message)
  skald.fail { type = "InvalidInput", non_retryable = true, message = message }
end

local function check(watch)
  if type(watch) ~= "table" then invalid("the watch must be a JSON object with device, kind and site") end
  for _, field in ipairs { "device", "kind", "site" } do
    if type(watch[field]) ~= "string" then invalid(field .. " must be a text") end
  end
  for field, default in pairs { threshold = 0.8, clear = 0.5, gap_patience = 600, reports_per_run = 500 } do
    watch[field] = watch[field] or default
    if type(watch[field]) ~= "number" then invalid(field .. " must be a number") end
  end
end

return function(watch)
  check(watch)
  -- What outlives the run: the next one gets it.
  local memory = watch.memory or { taken = 0, duplicates = 0, late = 0, refused = 0, lost = 0, deliveries = 0, maintenances = 0, scored = 0, score = 0 }
  local missing, held, stopping, taken_here = skald.array {}, 0, false, 0

  local function state()
    if stopping then return "stopped" end
    if memory.alarm then return memory.alarm.state end
    return memory.learning ~= false and "learning" or "watching"
  end

  skald.on_query("status", function()
    return { device = watch.device, state = state(), alarm = memory.alarm, score = memory.score, explanation = memory.explanation, next = memory.scored + 1,
      missing = missing, held = held, taken = memory.taken, duplicates = memory.duplicates, late = memory.late, refused = memory.refused,
      refusal = memory.refusal, lost = memory.lost, maintenances = memory.maintenances }
  end)

  local function refuse(why)
    memory.refused = memory.refused + 1
    memory.refusal = why
    skald.log.warn("a report is refused: " .. why, { device = watch.device })
  end

  -- A delivery has a number of its own, so that the same report sent twice is told from an activity tried twice.
  local function start_report(report)
    memory.deliveries = memory.deliveries + 1
    return devices.report:start { device = watch.device, sequence = report.sequence, at = report.at, readings = report.readings,
      delivery = skald.info().first_run_id .. "/" .. memory.deliveries }
  end

  local function take(reports)
    local started = {}
    for _, report in ipairs(reports) do
      if type(report) == "table" then started[#started + 1] = start_report(report) else refuse("it is no JSON object") end
    end
    for _, ended in ipairs(skald.settle(started)) do
      if ended.ok then
        local kept = ended.value.state
        memory.taken = memory.taken + 1
        if kept == "duplicate" then memory.duplicates = memory.duplicates + 1 end
        if kept == "late" then memory.late = memory.late + 1 end
      elseif skald.is_error(ended.error) and ended.error.kind == "application" then
        refuse(tostring(ended.error))
      else
        error(ended.error, 0)
      end
    end
    taken_here = taken_here + #reports
  end

  local function start_maintenance(verdict)
    local id = "maintenance-" .. watch.device .. "-" .. verdict.sequence
    memory.alarm = { reference = id, sequence = verdict.sequence, score = verdict.score, explanation = verdict.explanation, state = "maintenance" }
    local wanted = watch.maintenance or {}
    local child = skald.child("maintenance", { id = id, parent_close = "abandon", reuse = "reject" })
    local handle = child:start { reference = id, device = watch.device, kind = watch.kind, site = watch.site, notify = skald.info().workflow_id,
      anomaly = { sequence = verdict.sequence, at = verdict.at, score = verdict.score, explanation = verdict.explanation, readings = verdict.readings },
      parts = wanted.parts, skill = wanted.skill, priority = wanted.priority, patience = wanted.patience,
      escalation_patience = wanted.escalation_patience }
    local ok, err = pcall(handle.started, handle)
    if not ok and not (skald.is_error(err) and err.type == "WorkflowAlreadyStarted") then error(err, 0) end
    memory.maintenances = memory.maintenances + 1
  end

  local function remember_gap()
    local first = missing[1] and missing[1][1]
    if not first then
      memory.gap = nil
    elseif memory.gap and memory.gap.first == first then
      memory.gap.last = missing[1][2]
    else
      memory.gap = { first = first, last = missing[1][2], ends = skald.now() + watch.gap_patience }
    end
  end

  -- Scores what has been applied since the last time: the highest score counts.
  local judge
  function judge()
    local verdict = devices.score { device = watch.device, from = memory.scored + 1 }
    missing, held, memory.scored, memory.learning = verdict.missing, verdict.held, verdict.through or verdict.next - 1, verdict.learning
    memory.explanation = verdict.explanation
    remember_gap()
    if verdict.scored == 0 then return end
    memory.score = verdict.score
    if memory.alarm and memory.alarm.state == "unmended" and verdict.score < watch.clear then memory.alarm = nil end
    if not memory.alarm and verdict.score >= watch.threshold then start_maintenance(verdict) end
    if memory.scored < verdict.next - 1 then return judge() end  -- there were more than are scored at a time
  end

  local function hear_of_maintenance(news)
    local alarm = memory.alarm
    if type(news) ~= "table" or not alarm or news.reference ~= alarm.reference then return end
    if news.outcome == "done" then
      devices.recalibrate { device = watch.device, reference = alarm.reference }
      memory.alarm, memory.learning, memory.score = nil, true, 0
    else
      alarm.state, alarm.outcome, alarm.reason = "unmended", news.outcome, news.reason
    end
  end

  local function hear_of_escalation(news)
    if type(news) == "table" and memory.alarm and news.reference == memory.alarm.reference then memory.alarm.state = "escalated" end
  end

  local function rearm()
    if memory.alarm and memory.alarm.state == "unmended" then memory.alarm = nil end
  end

  local function read(reports)
    if type(reports) ~= "table" then return refuse("it is no JSON object") end
    if #reports == 0 then reports = { reports } end
    for first = 1, #reports, at_a_time do take(table.move(reports, first, math.min(first + at_a_time - 1, #reports), 1, {})) end
    judge()
  end

  -- What is missing for too long counts as lost, so that the reports behind it are heard. A new run goes on waiting where the one before stopped.
  local timer, timer_for
  local function watch_gap()
    local gap = memory.gap
    if timer and not (gap and gap.first == timer_for) then
      if not timer:ready() then timer:cancel() end
      timer = nil
    end
    if gap and not timer then timer, timer_for = skald.timer(math.max(0, gap.ends - skald.now())), gap.first end
  end
  local function give_up_gap()
    local answer = devices.give_up { device = watch.device, through = memory.gap.last }
    memory.lost = memory.lost + answer.given_up
    judge()
  end

  -- In the order in which they are heard when several wait.
  local inbox = { { "maintained", hear_of_maintenance }, { "escalated", hear_of_escalation }, { "rearm", rearm }, { "readings", read },
    { "stop", function() stopping = true end } }
  for _, box in ipairs(inbox) do box.signal = skald.signal(box[1]) end
  local function waiting()
    for _, box in ipairs(inbox) do
      if box.signal:pending() > 0 then return box end
    end
  end

  if watch.memory then judge() else devices.register { device = watch.device, kind = watch.kind, site = watch.site, first_sequence = watch.first_sequence } end
  while not stopping do
    watch_gap()
    skald.wait_until(function() return waiting() or (timer and timer:ready()) end)
    local box = waiting()
    if box then
      local _, news = box.signal:poll()
      box[2](news)
    else
      give_up_gap()
    end
    if not stopping and not waiting() and (taken_here >= watch.reports_per_run or skald.info().continue_as_new_suggested) then
      watch.memory = memory
      skald.continue_as_new(watch)
    end
  end
  return { device = watch.device, taken = memory.taken, duplicates = memory.duplicates, late = memory.late, refused = memory.refused, lost = memory.lost,
    maintenances = memory.maintenances }
end
