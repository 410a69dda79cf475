#include <absl/strings/str_cat.h>

#include "engine/core/error.h"
#include "engine/core/step.h"

namespace skald::core {
namespace {

constexpr std::string_view kCausePrefix = "WORKFLOW_TASK_FAILED_CAUSE_";

// WORKFLOW_TASK_FAILED_CAUSE_BAD_START_TIMER_ATTRIBUTES -> BadStartTimerAttributes
std::string cause_name(enums::WorkflowTaskFailedCause cause) {
  const std::string constant = enums::WorkflowTaskFailedCause_Name(cause).substr(kCausePrefix.size());
  std::string name;
  bool upper = true;
  for (const char letter : constant) {
    if (letter == '_') {
      upper = true;
      continue;
    }
    name.push_back(upper ? letter : static_cast<char>(letter + ('a' - 'A')));
    upper = false;
  }
  return name;
}

// Carries the task's completion out on `run`, a draft; an error leaves the draft to be thrown away.
CommandResult carry_out(Step& step, const CompleteWorkflowTask& input, Transition& transition) {
  const auto& request = input.request;
  const state::WorkflowTask finished = step.state.workflow_task();
  materialize_task(step);
  const int64_t scheduled = step.state.workflow_task().scheduled_event_id();
  const int64_t started = step.state.workflow_task().started_event_id();
  auto& event = step.append(enums::EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
  const int64_t completed = event.event_id();
  auto* attributes = event.mutable_workflow_task_completed_event_attributes();
  attributes->set_scheduled_event_id(scheduled);
  attributes->set_started_event_id(started);
  attributes->set_identity(request.identity());
  if (request.has_sdk_metadata()) *attributes->mutable_sdk_metadata() = request.sdk_metadata();
  if (request.has_metering_metadata()) *attributes->mutable_metering_metadata() = request.metering_metadata();
  if (request.has_worker_version_stamp()) *attributes->mutable_worker_version() = request.worker_version_stamp();

  step.state.set_last_started_event_id(started);
  step.state.set_last_completed_task_event_id(completed);
  step.state.set_most_recent_worker_identity(request.identity());
  if (!request.sdk_metadata().sdk_name().empty()) step.state.set_sdk_name(request.sdk_metadata().sdk_name());
  if (!request.sdk_metadata().sdk_version().empty()) step.state.set_sdk_version(request.sdk_metadata().sdk_version());
  if (request.sticky_attributes().worker_task_queue().name().empty()) {
    step.state.clear_sticky();
  } else {
    step.state.mutable_sticky()->set_task_queue(request.sticky_attributes().worker_task_queue().name());
    *step.state.mutable_sticky()->mutable_schedule_to_start_timeout() =
        request.sticky_attributes().schedule_to_start_timeout();
  }

  // While the commands are carried out the task counts as started no more: what they cause goes to history at once.
  step.state.clear_workflow_task();
  step.defer_task = true;
  for (const auto& command : request.commands()) {
    if (is_closing(command) && step.state.buffered_events_size() > 0) {
      return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
                          "new events arrived while the workflow task was under way"};
    }
    if (auto error = apply_command(step, command, completed)) return error;
    if (step.closed()) break;
  }
  if (step.closed()) {
    transition.output = WorkflowTaskCompleted();
    return std::nullopt;
  }
  step.defer_task = false;
  const bool news = step.flush_buffered() || step.task_wanted;
  if (news || request.force_create_new_workflow_task()) schedule_workflow_task(step);
  WorkflowTaskCompleted output;
  if (step.has_task()) {
    if (request.force_create_new_workflow_task()) {
      *step.state.mutable_workflow_task()->mutable_original_scheduled_time() = finished.original_scheduled_time();
    }
    if (request.return_new_workflow_task() && !step.task_started()) {
      const bool partial = step.state.has_sticky();
      output.next_task = begin_task(step, request.identity(), step.context.random.uuid(), partial);
      step.effects.dispatch_workflow_task = false;
      step.mark_durable();
    }
  }
  transition.output = std::move(output);
  return std::nullopt;
}

}  // namespace

absl::Status complete_workflow_task(state::RunState& original, const CompleteWorkflowTask& input,
                                    const Context& context, Transition& transition) {
  {
    const auto& task = original.workflow_task();
    const bool open = original.status() == enums::WORKFLOW_EXECUTION_STATUS_RUNNING && original.has_workflow_task();
    if (!open || task.started_event_id() == 0 || input.token.scheduled_event_id() != task.scheduled_event_id() ||
        input.token.started_event_id() != task.started_event_id() || input.token.attempt() != task.attempt()) {
      return not_found("Workflow task not found.");
    }
  }
  const bool heartbeat = input.request.force_create_new_workflow_task() && input.request.commands().empty();
  if (heartbeat && context.now - to_time(original.workflow_task().original_scheduled_time()) >
                       context.limits.workflow_task_heartbeat_max) {
    Step step(original, context);
    workflow_task_timed_out(step, enums::TIMEOUT_TYPE_START_TO_CLOSE);
    take(step, transition);
    return not_found("workflow task heartbeat timeout");
  }

  state::RunState draft = original;
  Step step(draft, context);
  const CommandResult error = carry_out(step, input, transition);
  if (!error) {
    original.Swap(&draft);
    // The swap moved the state from under the run; its effects are all that is needed of it.
    take(step, transition);
    return absl::OkStatus();
  }

  transition.output = std::monostate();
  const absl::Status refused =
      absl::InvalidArgumentError(error->cause == enums::WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
                                     ? cause_name(error->cause)
                                     : absl::StrCat(cause_name(error->cause), ": ", error->text));
  const bool unhandled = error->cause == enums::WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND;
  if (original.workflow_task().attempt() > 1 && !unhandled) return refused;
  Step failed(original, context);
  failure::Failure failure;
  failure.set_message(std::string(refused.message()));
  failure.set_source("Server");
  failure.mutable_server_failure_info()->set_non_retryable(true);
  fail_task(failed, error->cause, &failure, input.request.identity());
  take(failed, transition);
  return refused;
}

}  // namespace skald::core
