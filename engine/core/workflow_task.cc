#include <algorithm>
#include <cmath>

#include "engine/core/error.h"
#include "engine/core/step.h"

namespace skald::core {
namespace {

absl::Status task_not_found() { return not_found("Workflow task not found."); }

bool matches(const Step& step, const state::TaskToken& token) {
  const auto& task = step.state.workflow_task();
  return step.task_started() && token.scheduled_event_id() == task.scheduled_event_id() &&
         token.started_event_id() == task.started_event_id() && token.attempt() == task.attempt();
}

void fill_scheduled(const Step& step, temporal::api::history::v1::WorkflowTaskScheduledEventAttributes* attributes) {
  const auto& task = step.state.workflow_task();
  *attributes->mutable_task_queue() = task.task_queue();
  *attributes->mutable_start_to_close_timeout() = task.start_to_close();
  attributes->set_attempt(task.attempt());
}

void fill_started(const Step& step, temporal::api::history::v1::WorkflowTaskStartedEventAttributes* attributes) {
  const auto& task = step.state.workflow_task();
  attributes->set_scheduled_event_id(task.scheduled_event_id());
  attributes->set_identity(task.started_identity());
  attributes->set_request_id(task.started_request_id());
  attributes->set_history_size_bytes(step.state.history_size_bytes());
  const Limits& limits = step.context.limits;
  attributes->set_suggest_continue_as_new(step.state.history_size_bytes() >=
                                              static_cast<int64_t>(limits.history_suggest_bytes) ||
                                          step.state.next_event_id() > limits.history_suggest_events);
}

void new_task(Step& step, int32_t attempt) {
  const bool sticky = attempt == 1 && step.state.has_sticky();
  state::WorkflowTask& task = *step.state.mutable_workflow_task();
  const absl::Time now = step.event_time();
  task.set_attempt(attempt);
  set(task.mutable_scheduled_time(), now);
  set(task.mutable_original_scheduled_time(), now);
  set(task.mutable_start_to_close(), task_start_to_close(step, attempt));
  auto* queue = task.mutable_task_queue();
  queue->set_name(step.state.task_queue());
  queue->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  if (sticky) {
    queue->set_name(step.state.sticky().task_queue());
    queue->set_kind(enums::TASK_QUEUE_KIND_STICKY);
    queue->set_normal_name(step.state.task_queue());
    absl::Duration patience = to_duration(step.state.sticky().schedule_to_start_timeout());
    if (patience <= absl::ZeroDuration()) patience = step.context.limits.sticky_schedule_to_start_default;
    set(task.mutable_schedule_to_start_deadline(), now + patience);
  }
  task.set_transient(attempt > 1);
  task.set_scheduled_event_id(step.state.next_event_id());
  if (attempt == 1) {
    fill_scheduled(
        step, step.append(enums::EVENT_TYPE_WORKFLOW_TASK_SCHEDULED).mutable_workflow_task_scheduled_event_attributes());
  }
  step.mark_durable();
  step.effects.dispatch_workflow_task = true;
}

// The task failed or timed out: what arrived meanwhile is written down and seen by a task of its own, else the attempt
// goes up.
void next_attempt(Step& step, int32_t failed_attempt) {
  step.state.clear_workflow_task();
  step.state.clear_sticky();
  const bool news = step.flush_buffered();
  new_task(step, news ? 1 : failed_attempt + 1);
}

}  // namespace

absl::Duration task_start_to_close(const Step& step, int32_t attempt) {
  const Limits& limits = step.context.limits;
  absl::Duration timeout = to_duration(step.state.workflow_task_timeout());
  if (timeout <= absl::ZeroDuration()) timeout = limits.workflow_task_timeout_default;
  if (attempt < limits.workflow_task_backoff_from_attempt) return timeout;
  // Workers do not answer a task that fails again: the timeout paces the attempts.
  constexpr absl::Duration kFirstBackoff = absl::Seconds(5);
  const double doublings = std::min(attempt - limits.workflow_task_backoff_from_attempt, 20);
  return timeout + std::min(kFirstBackoff * std::exp2(doublings), limits.workflow_task_backoff_max);
}

void schedule_workflow_task(Step& step) {
  if (step.closed() || step.has_task() || step.state.awaiting_first_task()) return;
  if (step.defer_task) {
    step.task_wanted = true;
    return;
  }
  if (step.state.has_first_task_backoff_until()) {
    if (to_time(step.state.first_task_backoff_until()) > step.context.now) return;
    step.state.clear_first_task_backoff_until();
  }
  new_task(step, 1);
}

void materialize_task(Step& step) {
  state::WorkflowTask& task = *step.state.mutable_workflow_task();
  if (!task.transient()) return;
  task.set_transient(false);
  task.set_scheduled_event_id(step.state.next_event_id());
  fill_scheduled(
      step, step.append(enums::EVENT_TYPE_WORKFLOW_TASK_SCHEDULED).mutable_workflow_task_scheduled_event_attributes());
  if (task.started_event_id() == 0) return;
  task.set_started_event_id(step.state.next_event_id());
  fill_started(step,
               step.append(enums::EVENT_TYPE_WORKFLOW_TASK_STARTED).mutable_workflow_task_started_event_attributes());
}

WorkflowTaskStarted begin_task(Step& step, const std::string& identity, const std::string& request_id,
                               bool partial_history) {
  state::WorkflowTask& task = *step.state.mutable_workflow_task();
  if (task.transient() && task.scheduled_event_id() != step.state.next_event_id()) {
    // Events came since the last attempt: the task is a new one, and real.
    task.set_transient(false);
    task.set_attempt(1);
    set(task.mutable_start_to_close(), task_start_to_close(step, 1));
    task.set_scheduled_event_id(step.state.next_event_id());
    fill_scheduled(
        step, step.append(enums::EVENT_TYPE_WORKFLOW_TASK_SCHEDULED).mutable_workflow_task_scheduled_event_attributes());
  }
  const bool was_durable = step.durable;
  WorkflowTaskStarted started;
  set(task.mutable_started_time(), step.event_time());
  task.set_started_identity(identity);
  task.set_started_request_id(request_id);
  task.clear_schedule_to_start_deadline();
  if (task.transient()) {
    task.set_started_event_id(task.scheduled_event_id() + 1);
    started.history_last = step.state.next_event_id() - 1;
    HistoryEvent& scheduled = started.transient_events.emplace_back();
    scheduled.set_event_id(task.scheduled_event_id());
    scheduled.set_event_type(enums::EVENT_TYPE_WORKFLOW_TASK_SCHEDULED);
    *scheduled.mutable_event_time() = task.scheduled_time();
    fill_scheduled(step, scheduled.mutable_workflow_task_scheduled_event_attributes());
    HistoryEvent& begun = started.transient_events.emplace_back();
    begun.set_event_id(task.started_event_id());
    begun.set_event_type(enums::EVENT_TYPE_WORKFLOW_TASK_STARTED);
    *begun.mutable_event_time() = task.started_time();
    fill_started(step, begun.mutable_workflow_task_started_event_attributes());
  } else {
    task.set_started_event_id(step.state.next_event_id());
    fill_started(step,
                 step.append(enums::EVENT_TYPE_WORKFLOW_TASK_STARTED).mutable_workflow_task_started_event_attributes());
    started.history_last = step.state.next_event_id() - 1;
  }
  step.changed = true;
  step.durable = was_durable;  // A start may be forgotten: the task is given out again.
  started.history_first = partial_history ? step.state.last_started_event_id() + 1 : 1;

  state::TaskToken token;
  token.set_namespace_id(step.state.namespace_id());
  token.set_workflow_id(step.state.workflow_id());
  token.set_run_id(step.state.run_id());
  token.set_scheduled_event_id(task.scheduled_event_id());
  token.set_started_event_id(task.started_event_id());
  token.set_attempt(task.attempt());
  wire::PollWorkflowTaskQueueResponse& response = started.response;
  response.set_task_token(encode(token));
  response.mutable_workflow_execution()->set_workflow_id(step.state.workflow_id());
  response.mutable_workflow_execution()->set_run_id(step.state.run_id());
  response.mutable_workflow_type()->set_name(step.state.workflow_type());
  response.set_previous_started_event_id(step.state.last_started_event_id());
  response.set_started_event_id(task.started_event_id());
  response.set_attempt(task.attempt());
  *response.mutable_scheduled_time() = task.scheduled_time();
  *response.mutable_started_time() = task.started_time();
  response.mutable_workflow_execution_task_queue()->set_name(step.state.task_queue());
  response.mutable_workflow_execution_task_queue()->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  return started;
}

absl::Status start_workflow_task(Step& step, const StartWorkflowTask& input, Output& output) {
  if (step.closed() || !step.has_task()) return task_not_found();
  const auto& task = step.state.workflow_task();
  if (task.scheduled_event_id() != input.scheduled_event_id || task.attempt() != input.attempt ||
      task.started_event_id() != 0) {
    return task_not_found();
  }
  const bool from_sticky = task.task_queue().kind() == enums::TASK_QUEUE_KIND_STICKY;
  if (from_sticky ? input.task_queue != task.task_queue().name() : input.task_queue != step.state.task_queue())
    return task_not_found();
  if (!from_sticky) step.state.clear_sticky();
  output = begin_task(step, input.identity, input.request_id, from_sticky);
  step.state.mutable_workflow_task()->set_started_process(input.process);
  return absl::OkStatus();
}

void fail_task(Step& step, enums::WorkflowTaskFailedCause cause, const failure::Failure* failure,
               const std::string& identity) {
  const int32_t attempt = step.state.workflow_task().attempt();
  if (attempt == 1) {
    auto* attributes =
        step.append(enums::EVENT_TYPE_WORKFLOW_TASK_FAILED).mutable_workflow_task_failed_event_attributes();
    attributes->set_scheduled_event_id(step.state.workflow_task().scheduled_event_id());
    attributes->set_started_event_id(step.state.workflow_task().started_event_id());
    attributes->set_cause(cause);
    if (failure != nullptr) *attributes->mutable_failure() = within_limits(*failure, step.context.limits);
    attributes->set_identity(identity);
  }
  next_attempt(step, attempt);
}

absl::Status fail_workflow_task(Step& step, const FailWorkflowTask& input) {
  if (step.closed() || !matches(step, input.token)) return task_not_found();
  fail_task(step, input.request.cause(), input.request.has_failure() ? &input.request.failure() : nullptr,
            input.request.identity());
  return absl::OkStatus();
}

void workflow_task_timed_out(Step& step, enums::TimeoutType type) {
  const int32_t attempt = step.state.workflow_task().attempt();
  const bool sticky = type == enums::TIMEOUT_TYPE_SCHEDULE_TO_START;
  if (attempt == 1) {
    auto* attributes =
        step.append(enums::EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT).mutable_workflow_task_timed_out_event_attributes();
    attributes->set_scheduled_event_id(step.state.workflow_task().scheduled_event_id());
    attributes->set_started_event_id(step.state.workflow_task().started_event_id());
    attributes->set_timeout_type(type);
  }
  // A sticky worker that is gone is no failure of the task.
  next_attempt(step, sticky ? attempt - 1 : attempt);
}

void forget_starts(Step& step, uint64_t process) {
  if (step.closed()) return;
  const auto& task = step.state.workflow_task();
  if (step.task_started() && task.started_process() != 0 && task.started_process() != process)
    workflow_task_timed_out(step, enums::TIMEOUT_TYPE_START_TO_CLOSE);
  forget_activity_starts(step, process);
}

void reset_sticky(Step& step) {
  if (step.closed() || !step.state.has_sticky()) return;
  step.state.clear_sticky();
  step.mark_durable();
  if (!step.has_task() || step.task_started()) return;
  state::WorkflowTask& task = *step.state.mutable_workflow_task();
  if (task.task_queue().kind() != enums::TASK_QUEUE_KIND_STICKY) return;
  task.clear_schedule_to_start_deadline();
  task.mutable_task_queue()->Clear();
  task.mutable_task_queue()->set_name(step.state.task_queue());
  task.mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  step.effects.dispatch_workflow_task = true;
}

void force_close_task(Step& step) {
  if (!step.task_started()) return;
  materialize_task(step);
  auto* attributes = step.append(enums::EVENT_TYPE_WORKFLOW_TASK_FAILED).mutable_workflow_task_failed_event_attributes();
  attributes->set_scheduled_event_id(step.state.workflow_task().scheduled_event_id());
  attributes->set_started_event_id(step.state.workflow_task().started_event_id());
  attributes->set_cause(enums::WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND);
  step.state.clear_workflow_task();
  step.flush_buffered();
}

}  // namespace skald::core
