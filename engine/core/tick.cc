#include "engine/core/run.h"

namespace skald::core {
namespace {

bool due(const google::protobuf::Timestamp& at, absl::Time now) { return to_time(at) <= now; }

void tick_workflow_task(Run& run) {
  const absl::Time now = run.context.now;
  if (run.has_task()) {
    const state::WorkflowTask& task = run.state.workflow_task();
    if (task.started_event_id() != 0) {
      if (to_time(task.started_time()) + to_duration(task.start_to_close()) <= now) workflow_task_timed_out(run, enums::TIMEOUT_TYPE_START_TO_CLOSE);
    } else if (task.has_schedule_to_start_deadline() && due(task.schedule_to_start_deadline(), now)) {
      workflow_task_timed_out(run, enums::TIMEOUT_TYPE_SCHEDULE_TO_START);
    }
  } else if (run.state.has_first_task_backoff_until() && due(run.state.first_task_backoff_until(), now)) {
    schedule_workflow_task(run);
  }
}

}  // namespace

void tick(Run& run) {
  if (run.closed()) return;
  const absl::Time now = run.context.now;
  const bool over = (run.state.has_run_expiration() && due(run.state.run_expiration(), now)) ||
                    (run.state.has_execution_expiration() && due(run.state.execution_expiration(), now));
  if (over) return time_out_workflow(run);
  tick_workflow_task(run);
  tick_activities(run);
  tick_timers(run);
}

}  // namespace skald::core
