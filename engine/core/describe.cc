#include "engine/core/step.h"

namespace skald::core {
namespace {

void describe_activity(const state::PendingActivity& activity, temporal::api::workflow::v1::PendingActivityInfo* info) {
  info->set_activity_id(activity.activity_id());
  info->mutable_activity_type()->set_name(activity.activity_type());
  info->set_state(activity.cancel_requested()      ? enums::PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
                  : activity.has_started_time() ? enums::PENDING_ACTIVITY_STATE_STARTED
                                                : enums::PENDING_ACTIVITY_STATE_SCHEDULED);
  if (activity.has_heartbeat_details()) *info->mutable_heartbeat_details() = activity.heartbeat_details();
  if (activity.has_last_heartbeat_time()) *info->mutable_last_heartbeat_time() = activity.last_heartbeat_time();
  if (activity.has_started_time()) *info->mutable_last_started_time() = activity.started_time();
  info->set_attempt(activity.attempt());
  info->set_maximum_attempts(activity.retry_policy().maximum_attempts());
  *info->mutable_scheduled_time() = activity.attempt_scheduled_time();
  const absl::Duration to_close = to_duration(activity.schedule_to_close());
  if (to_close > absl::ZeroDuration()) set(info->mutable_expiration_time(), to_time(activity.scheduled_time()) + to_close);
  if (activity.has_last_failure()) *info->mutable_last_failure() = activity.last_failure();
  info->set_last_worker_identity(activity.has_started_time() ? activity.started_identity() : activity.last_worker_identity());
  if (activity.has_last_attempt_complete_time()) *info->mutable_last_attempt_complete_time() = activity.last_attempt_complete_time();
  if (activity.attempt() > 1 && !activity.has_started_time()) *info->mutable_next_attempt_schedule_time() = activity.attempt_scheduled_time();
  if (activity.has_priority()) *info->mutable_priority() = activity.priority();
}

}  // namespace

wire::DescribeWorkflowExecutionResponse describe(const state::RunState& run) {
  wire::DescribeWorkflowExecutionResponse response;
  auto* config = response.mutable_execution_config();
  config->mutable_task_queue()->set_name(run.task_queue());
  config->mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  *config->mutable_workflow_execution_timeout() = run.execution_timeout();
  *config->mutable_workflow_run_timeout() = run.run_timeout();
  *config->mutable_default_workflow_task_timeout() = run.workflow_task_timeout();
  if (run.has_user_metadata()) *config->mutable_user_metadata() = run.user_metadata();

  auto* info = response.mutable_workflow_execution_info();
  info->mutable_execution()->set_workflow_id(run.workflow_id());
  info->mutable_execution()->set_run_id(run.run_id());
  info->mutable_type()->set_name(run.workflow_type());
  *info->mutable_start_time() = run.start_time();
  *info->mutable_execution_time() = run.execution_time();
  if (run.has_close_time()) {
    *info->mutable_close_time() = run.close_time();
    set(info->mutable_execution_duration(), to_time(run.close_time()) - to_time(run.execution_time()));
  }
  info->set_status(run.status());
  info->set_history_length(run.next_event_id() - 1);
  info->set_history_size_bytes(run.history_size_bytes());
  info->set_state_transition_count(run.state_transition_count());
  info->set_task_queue(run.task_queue());
  info->set_first_run_id(run.first_run_id());
  if (run.has_parent()) {
    info->set_parent_namespace_id(run.parent().namespace_id());
    info->mutable_parent_execution()->set_workflow_id(run.parent().workflow_id());
    info->mutable_parent_execution()->set_run_id(run.parent().run_id());
  }
  if (run.has_root()) {
    *info->mutable_root_execution() = run.root();
  } else {
    *info->mutable_root_execution() = info->execution();
  }
  if (run.has_memo()) *info->mutable_memo() = run.memo();
  if (run.has_search_attributes()) *info->mutable_search_attributes() = run.search_attributes();
  if (run.has_priority()) *info->mutable_priority() = run.priority();

  for (const int64_t id : sorted_keys(run.activities())) describe_activity(run.activities().at(id), response.add_pending_activities());
  for (const int64_t id : sorted_keys(run.children())) {
    const state::PendingChild& child = run.children().at(id);
    auto* pending = response.add_pending_children();
    pending->set_workflow_id(child.workflow_id());
    pending->set_run_id(child.run_id());
    pending->set_workflow_type_name(child.workflow_type());
    pending->set_initiated_id(child.initiated_event_id());
    pending->set_parent_close_policy(child.close_policy());
  }
  if (run.has_workflow_task()) {
    const state::WorkflowTask& task = run.workflow_task();
    auto* pending = response.mutable_pending_workflow_task();
    pending->set_state(task.started_event_id() != 0 ? enums::PENDING_WORKFLOW_TASK_STATE_STARTED : enums::PENDING_WORKFLOW_TASK_STATE_SCHEDULED);
    *pending->mutable_scheduled_time() = task.scheduled_time();
    *pending->mutable_original_scheduled_time() = task.original_scheduled_time();
    if (task.has_started_time()) *pending->mutable_started_time() = task.started_time();
    pending->set_attempt(task.attempt());
  }
  auto* extended = response.mutable_workflow_extended_info();
  if (run.has_execution_expiration()) *extended->mutable_execution_expiration_time() = run.execution_expiration();
  if (run.has_run_expiration()) *extended->mutable_run_expiration_time() = run.run_expiration();
  extended->set_cancel_requested(run.cancel_requested());
  *extended->mutable_original_start_time() = run.start_time();
  return response;
}

}  // namespace skald::core
