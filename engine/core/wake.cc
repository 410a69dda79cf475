#include <algorithm>

#include "engine/core/step.h"

namespace skald::core {
namespace {

absl::Time activity_wake(const state::PendingActivity& activity) {
  const absl::Time timeout = next_timeout(activity).at;
  return waits_for_retry(activity) ? std::min(timeout, to_time(activity.attempt_scheduled_time())) : timeout;
}

}  // namespace

absl::Time next_wake(const state::RunState& run) {
  absl::Time wake = absl::InfiniteFuture();
  const auto at = [&wake](bool set, const google::protobuf::Timestamp& time) {
    if (set) wake = std::min(wake, to_time(time));
  };
  if (run.status() != enums::WORKFLOW_EXECUTION_STATUS_RUNNING) {
    at(run.has_delete_time(), run.delete_time());
    return wake;
  }
  at(run.has_run_expiration(), run.run_expiration());
  at(run.has_execution_expiration(), run.execution_expiration());
  if (run.has_workflow_task()) {
    const state::WorkflowTask& task = run.workflow_task();
    if (task.started_event_id() != 0) {
      wake = std::min(wake, to_time(task.started_time()) + to_duration(task.start_to_close()));
    } else {
      at(task.has_schedule_to_start_deadline(), task.schedule_to_start_deadline());
    }
  } else if (!run.awaiting_first_task()) {
    at(run.has_first_task_backoff_until(), run.first_task_backoff_until());
  }
  for (const auto& [id, activity] : run.activities()) wake = std::min(wake, activity_wake(activity));
  for (const auto& [id, timer] : run.timers()) at(true, timer.fire_time());
  return wake;
}

bool has_work(const state::RunState& run) {
  if (run.status() != enums::WORKFLOW_EXECUTION_STATUS_RUNNING) return false;
  return run.has_workflow_task() || !run.activities().empty();
}

std::vector<int64_t> waiting_activities(const state::RunState& run, absl::Time now) {
  std::vector<int64_t> waiting;
  for (const int64_t id : sorted_keys(run.activities())) {
    const state::PendingActivity& activity = run.activities().at(id);
    if (!activity.has_started_time() && to_time(activity.attempt_scheduled_time()) <= now) waiting.push_back(id);
  }
  return waiting;
}

bool is_expired(const state::RunState& run, absl::Time now) {
  return run.status() != enums::WORKFLOW_EXECUTION_STATUS_RUNNING && run.has_delete_time() && to_time(run.delete_time()) <= now;
}

}  // namespace skald::core
