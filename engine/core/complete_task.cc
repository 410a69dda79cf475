#include <absl/strings/str_cat.h>

#include "engine/core/error.h"
#include "engine/core/run.h"

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
CommandResult carry_out(Run& run, const CompleteWorkflowTask& input, Transition& transition) {
  const auto& request = input.request;
  const state::WorkflowTask finished = run.state.workflow_task();
  materialize_task(run);
  const int64_t scheduled = run.state.workflow_task().scheduled_event_id();
  const int64_t started = run.state.workflow_task().started_event_id();
  auto& event = run.append(enums::EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
  const int64_t completed = event.event_id();
  auto* attributes = event.mutable_workflow_task_completed_event_attributes();
  attributes->set_scheduled_event_id(scheduled);
  attributes->set_started_event_id(started);
  attributes->set_identity(request.identity());
  if (request.has_sdk_metadata()) *attributes->mutable_sdk_metadata() = request.sdk_metadata();
  if (request.has_metering_metadata()) *attributes->mutable_metering_metadata() = request.metering_metadata();
  if (request.has_worker_version_stamp()) *attributes->mutable_worker_version() = request.worker_version_stamp();

  run.state.set_last_started_event_id(started);
  run.state.set_last_completed_task_event_id(completed);
  run.state.set_most_recent_worker_identity(request.identity());
  if (!request.sdk_metadata().sdk_name().empty()) run.state.set_sdk_name(request.sdk_metadata().sdk_name());
  if (!request.sdk_metadata().sdk_version().empty()) run.state.set_sdk_version(request.sdk_metadata().sdk_version());
  if (request.sticky_attributes().worker_task_queue().name().empty()) {
    run.state.clear_sticky();
  } else {
    run.state.mutable_sticky()->set_task_queue(request.sticky_attributes().worker_task_queue().name());
    *run.state.mutable_sticky()->mutable_schedule_to_start_timeout() =
        request.sticky_attributes().schedule_to_start_timeout();
  }

  // While the commands are carried out the task counts as started no more: what they cause goes to history at once.
  run.state.clear_workflow_task();
  run.defer_task = true;
  for (const auto& command : request.commands()) {
    if (is_closing(command) && run.state.buffered_events_size() > 0) {
      return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
                          "new events arrived while the workflow task was under way"};
    }
    if (auto error = apply_command(run, command, completed)) return error;
    if (run.closed()) break;
  }
  if (run.closed()) {
    transition.output = WorkflowTaskCompleted();
    return std::nullopt;
  }
  run.defer_task = false;
  const bool news = run.flush_buffered() || run.task_wanted;
  if (news || request.force_create_new_workflow_task()) schedule_workflow_task(run);
  WorkflowTaskCompleted output;
  if (run.has_task()) {
    if (request.force_create_new_workflow_task()) {
      *run.state.mutable_workflow_task()->mutable_original_scheduled_time() = finished.original_scheduled_time();
    }
    if (request.return_new_workflow_task() && !run.task_started()) {
      const bool partial = run.state.has_sticky();
      output.next_task = begin_task(run, request.identity(), run.context.random.uuid(), partial);
      run.effects.dispatch_workflow_task = false;
      run.mark_durable();
    }
  }
  transition.output = std::move(output);
  return std::nullopt;
}

void take(Run& run, Transition& transition) {
  transition.effects = std::move(run.effects);
  transition.successor = std::move(run.successor);
  transition.changed = run.changed;
  transition.durable = run.durable;
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
    Run run(original, context);
    workflow_task_timed_out(run, enums::TIMEOUT_TYPE_START_TO_CLOSE);
    take(run, transition);
    return not_found("workflow task heartbeat timeout");
  }

  state::RunState draft = original;
  Run run(draft, context);
  const CommandResult error = carry_out(run, input, transition);
  if (!error) {
    original.Swap(&draft);
    // The swap moved the state from under the run; its effects are all that is needed of it.
    take(run, transition);
    return absl::OkStatus();
  }

  transition.output = std::monostate();
  const absl::Status refused =
      absl::InvalidArgumentError(error->cause == enums::WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
                                     ? cause_name(error->cause)
                                     : absl::StrCat(cause_name(error->cause), ": ", error->text));
  const bool unhandled = error->cause == enums::WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND;
  if (original.workflow_task().attempt() > 1 && !unhandled) return refused;
  Run failed(original, context);
  failure::Failure failure;
  failure.set_message(std::string(refused.message()));
  failure.set_source("Server");
  failure.mutable_server_failure_info()->set_non_retryable(true);
  fail_task(failed, error->cause, &failure, input.request.identity());
  take(failed, transition);
  return refused;
}

}  // namespace skald::core
