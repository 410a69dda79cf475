// Tasks on their way to their workers: into matching, once what they rest on is durable.
#include <spdlog/spdlog.h>

#include "engine/shard/owner.h"

namespace skald::shard {
namespace {

// The event that schedules a run's first workflow task.
constexpr int64_t kFirstTask = 2;
constexpr absl::Duration kNextHandOut = absl::Seconds(1);

}  // namespace

void Owner::dispatch_after_commit(CachedRun& run, const core::Effects& effects) {
  if (effects.dispatch_workflow_task && !serves(run)) {
    commits_.when_durable(run, [this, &run](const absl::Status& status) {
      if (status.ok()) dispatch_workflow_task(run);
    });
  }
  for (const int64_t scheduled : effects.dispatch_activities) {
    commits_.when_durable(run, [this, &run, scheduled](const absl::Status& status) {
      if (status.ok()) dispatch_activity(run, scheduled);
    });
  }
}

void Owner::dispatch_workflow_task(CachedRun& run) {
  using temporal::api::enums::v1::TASK_QUEUE_KIND_STICKY;
  if (!run.state.has_workflow_task() || run.state.workflow_task().started_event_id() != 0) return;
  const auto& task = run.state.workflow_task();
  const matching::QueueKey queue{run.key.namespace_id, matching::TaskKind::kWorkflow, task.task_queue().name()};
  if (task.task_queue().kind() == TASK_QUEUE_KIND_STICKY &&
      !parts_.matching.polled_since(queue, now() - parts_.limits.sticky_schedule_to_start_default)) {
    // Nobody has polled the sticky queue for long: its worker is gone, and the task need not wait for its timeout.
    WorkflowEntry& entry = cache_.entry(run.key.workflow());
    apply(entry, run, core::ResetSticky{}, [](const absl::Status&, core::Output&) {});
    return;
  }
  if (parts_.embedded != nullptr && !serves(run) && task.scheduled_event_id() == kFirstTask &&
      parts_.embedded->polls(run.state.namespace_(), task.task_queue().name())) {
    spdlog::warn("workflow {}: there is no workflow {} here; another worker of the task queue {} may have it",
                 run.key.workflow_id, run.state.workflow_type(), task.task_queue().name());
  }
  hand_out(run, queue, {run.key, task.scheduled_event_id(), task.attempt(), ""});
}

void Owner::dispatch_activity(CachedRun& run, int64_t scheduled_event_id) {
  const auto found = run.state.activities().find(scheduled_event_id);
  if (found == run.state.activities().end() || found->second.has_started_time()) return;
  hand_out(run, {run.key.namespace_id, matching::TaskKind::kActivity, found->second.task_queue()},
           {run.key, scheduled_event_id, found->second.attempt(), ""});
}

// What does not fit into the queue is found by a scan when there is room again.
void Owner::hand_out(CachedRun& run, const matching::QueueKey& queue, matching::TaskRef task) {
  if (parts_.matching.add(queue, std::move(task)) == matching::Matching::Added::kFull) run.refused = true;
}

void Owner::hand_out_again(const matching::QueueKey& queue, const matching::TaskRef& task) {
  parts_.executor.post_at(now() + kNextHandOut, [this, queue, task] { parts_.matching.add(queue, task); });
}

void Owner::dispatch_all(CachedRun& run) {
  run.refused = false;
  if (!serves(run)) dispatch_workflow_task(run);
  for (const int64_t scheduled : core::waiting_activities(run.state, now())) dispatch_activity(run, scheduled);
}

}  // namespace skald::shard
