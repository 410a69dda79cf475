#include "engine/core/step.h"

namespace skald::core {
namespace {

bool due(const google::protobuf::Timestamp& at, absl::Time now) { return to_time(at) <= now; }

void tick_workflow_task(Step& step) {
  const absl::Time now = step.context.now;
  if (step.has_task()) {
    const state::WorkflowTask& task = step.state.workflow_task();
    if (task.started_event_id() != 0) {
      if (to_time(task.started_time()) + to_duration(task.start_to_close()) <= now) workflow_task_timed_out(step, enums::TIMEOUT_TYPE_START_TO_CLOSE);
    } else if (task.has_schedule_to_start_deadline() && due(task.schedule_to_start_deadline(), now)) {
      workflow_task_timed_out(step, enums::TIMEOUT_TYPE_SCHEDULE_TO_START);
    }
  } else if (step.state.has_first_task_backoff_until() && due(step.state.first_task_backoff_until(), now)) {
    schedule_workflow_task(step);
  }
}

}  // namespace

void tick(Step& step) {
  if (step.closed()) return;
  const absl::Time now = step.context.now;
  const bool over = (step.state.has_run_expiration() && due(step.state.run_expiration(), now)) ||
                    (step.state.has_execution_expiration() && due(step.state.execution_expiration(), now));
  if (over) return time_out_workflow(step);
  tick_workflow_task(step);
  tick_activities(step);
  tick_timers(step);
}

}  // namespace skald::core
