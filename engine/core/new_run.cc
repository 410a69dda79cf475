#include <algorithm>

#include "engine/core/step.h"

namespace skald::core {

absl::Duration run_timeout_within(absl::Duration run, absl::Duration execution) {
  if (execution <= absl::ZeroDuration()) return run;
  return run <= absl::ZeroDuration() ? execution : std::min(run, execution);
}

absl::Duration task_timeout_within(absl::Duration task, absl::Duration run, const Limits& limits) {
  if (task <= absl::ZeroDuration()) task = limits.workflow_task_timeout_default;
  task = std::min(task, limits.workflow_task_timeout_max);
  return run > absl::ZeroDuration() ? std::min(task, run) : task;
}

NewRun new_run(Beginning beginning, const Context& context, const std::function<void(Step&)>& before_first_task) {
  NewRun created;
  state::RunState& state = created.state;
  auto& attributes = beginning.attributes;
  if (beginning.run_id.empty()) beginning.run_id = context.random.uuid();
  if (attributes.original_execution_run_id().empty()) attributes.set_original_execution_run_id(beginning.run_id);
  if (attributes.first_execution_run_id().empty()) attributes.set_first_execution_run_id(beginning.run_id);
  attributes.set_workflow_id(beginning.workflow_id);
  attributes.set_attempt(std::max(attributes.attempt(), 1));

  state.set_namespace_id(context.ns.id);
  state.set_namespace_(context.ns.name);
  state.set_workflow_id(beginning.workflow_id);
  state.set_run_id(beginning.run_id);
  state.set_first_run_id(attributes.first_execution_run_id());
  state.set_original_run_id(attributes.original_execution_run_id());
  state.set_continued_run_id(attributes.continued_execution_run_id());
  state.set_initiator(attributes.initiator());
  state.set_start_request_id(beginning.request_id);
  state.set_workflow_type(attributes.workflow_type().name());
  state.set_task_queue(attributes.task_queue().name());
  state.set_status(enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
  state.set_next_event_id(1);
  state.set_identity(attributes.identity());
  state.set_id_reuse_policy(beginning.id_reuse_policy);
  state.set_attempt(attributes.attempt());
  state.set_cron_schedule(attributes.cron_schedule());
  state.mutable_signal_request_ids()->Assign(beginning.signal_request_ids.begin(), beginning.signal_request_ids.end());
  state.set_cancel_request_id(beginning.cancel_request_id);
  *state.mutable_workflow_task_timeout() = attributes.workflow_task_timeout();
  *state.mutable_execution_timeout() = attributes.workflow_execution_timeout();
  *state.mutable_run_timeout() = attributes.workflow_run_timeout();
  if (attributes.has_memo()) *state.mutable_memo() = attributes.memo();
  if (attributes.has_search_attributes()) *state.mutable_search_attributes() = attributes.search_attributes();
  if (attributes.has_priority()) *state.mutable_priority() = attributes.priority();
  if (attributes.has_retry_policy()) *state.mutable_retry_policy() = attributes.retry_policy();
  if (attributes.has_header()) *state.mutable_header() = attributes.header();
  // What a later run of the chain begins with is kept; otherwise it stands in event 1 alone.
  if ((attributes.has_retry_policy() || !attributes.cron_schedule().empty()) && attributes.has_input()) *state.mutable_input() = attributes.input();
  if (attributes.has_last_completion_result()) *state.mutable_last_completion_result() = attributes.last_completion_result();
  if (attributes.has_continued_failure()) *state.mutable_last_failure() = attributes.continued_failure();
  if (beginning.user_metadata.ByteSizeLong() > 0) *state.mutable_user_metadata() = beginning.user_metadata;
  if (beginning.parent) {
    *state.mutable_parent() = *beginning.parent;
    attributes.set_parent_workflow_namespace(beginning.parent->namespace_());
    attributes.set_parent_workflow_namespace_id(beginning.parent->namespace_id());
    attributes.mutable_parent_workflow_execution()->set_workflow_id(beginning.parent->workflow_id());
    attributes.mutable_parent_workflow_execution()->set_run_id(beginning.parent->run_id());
    attributes.set_parent_initiated_event_id(beginning.parent->initiated_event_id());
  }
  if (attributes.has_root_workflow_execution()) *state.mutable_root() = attributes.root_workflow_execution();

  const absl::Time begun = context.now;
  const absl::Time first_task = begun + beginning.backoff;
  const absl::Duration execution_timeout = to_duration(attributes.workflow_execution_timeout());
  absl::Time execution_end = beginning.execution_expiration;
  if (execution_end == absl::InfiniteFuture() && execution_timeout > absl::ZeroDuration()) execution_end = first_task + execution_timeout;
  const absl::Duration run_timeout = to_duration(attributes.workflow_run_timeout());
  if (execution_end != absl::InfiniteFuture()) {
    set(state.mutable_execution_expiration(), execution_end);
    set(attributes.mutable_workflow_execution_expiration_time(), execution_end);
  }
  if (run_timeout > absl::ZeroDuration()) set(state.mutable_run_expiration(), std::min(first_task + run_timeout, execution_end));
  set(state.mutable_start_time(), begun);
  set(state.mutable_execution_time(), first_task);
  if (!attributes.cron_schedule().empty()) {
    set(state.mutable_cron_time(), beginning.cron_time == absl::InfinitePast() ? first_task : beginning.cron_time);
  }
  set(attributes.mutable_first_workflow_task_backoff(), beginning.backoff);
  state.set_awaiting_first_task(beginning.awaits_parent);
  if (beginning.backoff > absl::ZeroDuration()) set(state.mutable_first_task_backoff_until(), first_task);

  Step first(state, context);
  auto& event = first.append(enums::EVENT_TYPE_WORKFLOW_EXECUTION_STARTED);
  if (beginning.user_metadata.ByteSizeLong() > 0) *event.mutable_user_metadata() = beginning.user_metadata;
  *event.mutable_workflow_execution_started_event_attributes() = std::move(attributes);
  if (before_first_task) before_first_task(first);
  schedule_workflow_task(first);
  first.effects.visibility_changed = true;
  state.set_state_transition_count(1);
  count_history(state, first.effects.events);
  created.effects = std::move(first.effects);
  return created;
}

Beginning continued(const Step& step, enums::ContinueAsNewInitiator initiator) {
  const state::RunState& state = step.state;
  Beginning next;
  next.workflow_id = state.workflow_id();
  next.request_id = step.context.random.uuid();
  next.id_reuse_policy = state.id_reuse_policy();
  if (state.has_parent()) next.parent = state.parent();
  next.user_metadata = state.user_metadata();
  next.signal_request_ids.assign(state.signal_request_ids().begin(), state.signal_request_ids().end());
  next.cancel_request_id = state.cancel_request_id();
  if (state.has_execution_expiration()) next.execution_expiration = to_time(state.execution_expiration());
  auto& attributes = next.attributes;
  attributes.mutable_workflow_type()->set_name(state.workflow_type());
  attributes.mutable_task_queue()->set_name(state.task_queue());
  attributes.mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  if (state.has_input()) *attributes.mutable_input() = state.input();
  *attributes.mutable_workflow_execution_timeout() = state.execution_timeout();
  *attributes.mutable_workflow_run_timeout() = state.run_timeout();
  *attributes.mutable_workflow_task_timeout() = state.workflow_task_timeout();
  attributes.set_continued_execution_run_id(state.run_id());
  attributes.set_first_execution_run_id(state.first_run_id());
  attributes.set_initiator(initiator);
  attributes.set_identity(state.identity());
  attributes.set_cron_schedule(state.cron_schedule());
  if (state.has_retry_policy()) *attributes.mutable_retry_policy() = state.retry_policy();
  if (state.has_memo()) *attributes.mutable_memo() = state.memo();
  if (state.has_search_attributes()) *attributes.mutable_search_attributes() = state.search_attributes();
  if (state.has_header()) *attributes.mutable_header() = state.header();
  if (state.has_root()) *attributes.mutable_root_workflow_execution() = state.root();
  if (state.has_priority()) *attributes.mutable_priority() = state.priority();
  if (state.has_last_completion_result()) *attributes.mutable_last_completion_result() = state.last_completion_result();
  return next;
}

}  // namespace skald::core
