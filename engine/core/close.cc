#include <absl/strings/str_cat.h>

#include <algorithm>

#include "engine/core/step.h"

namespace skald::core {
namespace {

// The run is over: nothing of it waits any more.
void close(Step& step, enums::WorkflowExecutionStatus status) {
  const absl::Time now = step.event_time();
  step.state.set_status(status);
  set(step.state.mutable_close_time(), now);
  set(step.state.mutable_delete_time(), now + step.context.ns.retention);
  step.state.clear_workflow_task();
  step.state.clear_sticky();
  step.state.clear_activities();
  step.state.clear_timers();
  step.state.clear_external_signals();
  step.state.clear_external_cancels();
  step.state.clear_first_task_backoff_until();
  step.state.clear_buffered_events();
  step.effects.dispatch_workflow_task = false;
  step.effects.dispatch_activities.clear();
  step.effects.closed = true;
  step.effects.visibility_changed = true;
  step.mark_durable();
}

// The closing event is the last of the effects. With a successor the chain goes on, and neither parent nor children hear of it.
void settle(Step& step, enums::WorkflowExecutionStatus status) {
  close(step, status);
  if (step.successor) {
    step.state.set_new_execution_run_id(step.successor->state.run_id());
    // Children belong to the run that started them.
    close_children(step);
    return;
  }
  const HistoryEvent closing = step.effects.events.back();
  close_children(step);
  tell_parent(step, closing);
}

void succeed_with(Step& step, Beginning next, const std::string& run_id) {
  next.run_id = run_id;
  step.successor = new_run(std::move(next), step.context);
}

// The run that a cron schedule asks for after this one: its time, if it has one before the execution's end.
std::optional<absl::Duration> cron_backoff(const Step& step) {
  if (step.state.cron_schedule().empty()) return std::nullopt;
  const absl::Time last = to_time(step.state.has_cron_time() ? step.state.cron_time() : step.state.execution_time());
  const auto next = next_cron_time(step.state.cron_schedule(), last, step.event_time());
  if (!next) return std::nullopt;
  if (step.state.has_execution_expiration() && *next >= to_time(step.state.execution_expiration())) return std::nullopt;
  return *next - step.event_time();
}

// A retry, and a run that continues as new, stand for the run of the schedule that they follow.
void keep_cron_time(const Step& step, Beginning& next) {
  if (step.state.has_cron_time() && next.attributes.cron_schedule() == step.state.cron_schedule()) next.cron_time = to_time(step.state.cron_time());
}

// After a failure: a retry if the policy has one left, else the next run of the schedule.
struct AfterFailure {
  enums::RetryState retry_state = enums::RETRY_STATE_RETRY_POLICY_NOT_SET;
  std::optional<Beginning> next;
};
AfterFailure after_failure(const Step& step, const failure::Failure& cause) {
  AfterFailure after;
  if (step.state.has_retry_policy()) {
    const absl::Time end = step.state.has_execution_expiration() ? to_time(step.state.execution_expiration()) : absl::InfiniteFuture();
    const RetryDecision decision = decide_retry(filled_in(step.state.retry_policy()), step.state.attempt(), cause, step.event_time(), end);
    after.retry_state = decision.state;
    if (decision.state == enums::RETRY_STATE_IN_PROGRESS) {
      after.next = continued(step, enums::CONTINUE_AS_NEW_INITIATOR_RETRY);
      after.next->attributes.set_attempt(step.state.attempt() + 1);
      *after.next->attributes.mutable_continued_failure() = cause;
      after.next->backoff = decision.backoff;
      keep_cron_time(step, *after.next);
      return after;
    }
  }
  if (const auto backoff = cron_backoff(step)) {
    after.next = continued(step, enums::CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE);
    *after.next->attributes.mutable_continued_failure() = cause;
    after.next->backoff = *backoff;
  }
  return after;
}

}  // namespace

void complete_workflow(Step& step, const common::Payloads* result, int64_t completed_event_id) {
  std::string next_run_id;
  if (const auto backoff = cron_backoff(step)) {
    Beginning next = continued(step, enums::CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE);
    if (result != nullptr) *next.attributes.mutable_last_completion_result() = *result;
    next.backoff = *backoff;
    next_run_id = step.context.random.uuid();
    succeed_with(step, std::move(next), next_run_id);
  }
  auto* attributes = step.append(enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED).mutable_workflow_execution_completed_event_attributes();
  if (result != nullptr) *attributes->mutable_result() = *result;
  attributes->set_workflow_task_completed_event_id(completed_event_id);
  attributes->set_new_execution_run_id(next_run_id);
  settle(step, enums::WORKFLOW_EXECUTION_STATUS_COMPLETED);
}

void fail_workflow(Step& step, const failure::Failure& cause, int64_t completed_event_id) {
  AfterFailure after = after_failure(step, cause);
  std::string next_run_id;
  if (after.next) {
    next_run_id = step.context.random.uuid();
    succeed_with(step, *std::move(after.next), next_run_id);
  }
  auto* attributes = step.append(enums::EVENT_TYPE_WORKFLOW_EXECUTION_FAILED).mutable_workflow_execution_failed_event_attributes();
  *attributes->mutable_failure() = cause;
  attributes->set_retry_state(after.retry_state);
  attributes->set_workflow_task_completed_event_id(completed_event_id);
  attributes->set_new_execution_run_id(next_run_id);
  settle(step, enums::WORKFLOW_EXECUTION_STATUS_FAILED);
}

void cancel_workflow(Step& step, const common::Payloads* details, int64_t completed_event_id) {
  auto* attributes = step.append(enums::EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED).mutable_workflow_execution_canceled_event_attributes();
  attributes->set_workflow_task_completed_event_id(completed_event_id);
  if (details != nullptr) *attributes->mutable_details() = *details;
  settle(step, enums::WORKFLOW_EXECUTION_STATUS_CANCELED);
}

CommandResult continue_as_new(Step& step, const temporal::api::command::v1::ContinueAsNewWorkflowExecutionCommandAttributes& command,
                              int64_t completed_event_id) {
  const auto bad = [](std::string text) {
    return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES, std::move(text)};
  };
  if (to_duration(command.workflow_run_timeout()) < absl::ZeroDuration() || to_duration(command.workflow_task_timeout()) < absl::ZeroDuration() ||
      to_duration(command.backoff_start_interval()) < absl::ZeroDuration()) {
    return bad("Timeouts may not be negative.");
  }
  if (!command.cron_schedule().empty() && !check_cron(command.cron_schedule()).ok()) return bad("Invalid CronSchedule.");
  if (is_reserved_task_queue(command.task_queue().name()))
    return bad("Names of task queues that begin with /_sys/ are reserved.");
  if (auto problem = check_search_attributes(step, command.search_attributes())) return bad(*std::move(problem));
  Beginning next = continued(step, enums::CONTINUE_AS_NEW_INITIATOR_WORKFLOW);
  auto& attributes = next.attributes;
  if (!command.workflow_type().name().empty()) attributes.mutable_workflow_type()->set_name(command.workflow_type().name());
  if (!command.task_queue().name().empty()) attributes.mutable_task_queue()->set_name(command.task_queue().name());
  attributes.clear_input();
  if (command.has_input()) *attributes.mutable_input() = command.input();
  if (to_duration(command.workflow_run_timeout()) > absl::ZeroDuration()) *attributes.mutable_workflow_run_timeout() = command.workflow_run_timeout();
  if (to_duration(command.workflow_task_timeout()) > absl::ZeroDuration()) *attributes.mutable_workflow_task_timeout() = command.workflow_task_timeout();
  if (command.has_retry_policy()) *attributes.mutable_retry_policy() = command.retry_policy();
  if (!command.cron_schedule().empty()) attributes.set_cron_schedule(command.cron_schedule());
  if (command.has_header()) *attributes.mutable_header() = command.header();
  if (command.has_memo()) *attributes.mutable_memo() = command.memo();
  if (command.has_search_attributes()) {
    *attributes.mutable_search_attributes() = command.search_attributes();
    label_search_attributes(*attributes.mutable_search_attributes(), step.context.ns);
  }
  attributes.set_attempt(1);
  set(attributes.mutable_workflow_run_timeout(),
      run_timeout_within(to_duration(attributes.workflow_run_timeout()), to_duration(attributes.workflow_execution_timeout())));
  set(attributes.mutable_workflow_task_timeout(),
      task_timeout_within(to_duration(attributes.workflow_task_timeout()), to_duration(attributes.workflow_run_timeout()), step.context.limits));
  keep_cron_time(step, next);
  // A workflow that continues at once, again and again, is slowed to one run per interval.
  const absl::Duration lived = step.event_time() - to_time(step.state.start_time());
  next.backoff = std::max({to_duration(command.backoff_start_interval()), step.context.limits.continue_as_new_min_interval - lived, absl::ZeroDuration()});

  const std::string next_run_id = step.context.random.uuid();
  const absl::Duration backoff = next.backoff;
  auto* event = step.append(enums::EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW).mutable_workflow_execution_continued_as_new_event_attributes();
  event->set_new_execution_run_id(next_run_id);
  *event->mutable_workflow_type() = attributes.workflow_type();
  *event->mutable_task_queue() = attributes.task_queue();
  if (attributes.has_input()) *event->mutable_input() = attributes.input();
  *event->mutable_workflow_run_timeout() = attributes.workflow_run_timeout();
  *event->mutable_workflow_task_timeout() = attributes.workflow_task_timeout();
  event->set_workflow_task_completed_event_id(completed_event_id);
  set(event->mutable_backoff_start_interval(), backoff);
  event->set_initiator(enums::CONTINUE_AS_NEW_INITIATOR_WORKFLOW);
  if (attributes.has_header()) *event->mutable_header() = attributes.header();
  if (attributes.has_memo()) *event->mutable_memo() = attributes.memo();
  if (attributes.has_search_attributes()) *event->mutable_search_attributes() = attributes.search_attributes();
  succeed_with(step, std::move(next), next_run_id);
  settle(step, enums::WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW);
  return std::nullopt;
}

void terminate(Step& step, const std::string& reason, const common::Payloads* details, const std::string& identity) {
  force_close_task(step);
  auto* attributes = step.append(enums::EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED).mutable_workflow_execution_terminated_event_attributes();
  attributes->set_reason(reason);
  if (details != nullptr) *attributes->mutable_details() = *details;
  attributes->set_identity(identity);
  settle(step, enums::WORKFLOW_EXECUTION_STATUS_TERMINATED);
}

void time_out_workflow(Step& step) {
  force_close_task(step);
  failure::Failure cause;
  cause.set_message("workflow timeout");
  cause.set_source("Server");
  cause.mutable_timeout_failure_info()->set_timeout_type(enums::TIMEOUT_TYPE_START_TO_CLOSE);
  const bool execution_over = step.state.has_execution_expiration() && to_time(step.state.execution_expiration()) <= step.context.now;
  AfterFailure after;
  after.retry_state = enums::RETRY_STATE_TIMEOUT;
  if (!execution_over) after = after_failure(step, cause);
  std::string next_run_id;
  if (after.next) {
    next_run_id = step.context.random.uuid();
    succeed_with(step, *std::move(after.next), next_run_id);
  }
  auto* attributes = step.append(enums::EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT).mutable_workflow_execution_timed_out_event_attributes();
  attributes->set_retry_state(after.retry_state);
  attributes->set_new_execution_run_id(next_run_id);
  settle(step, enums::WORKFLOW_EXECUTION_STATUS_TIMED_OUT);
}

}  // namespace skald::core
