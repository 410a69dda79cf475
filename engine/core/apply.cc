#include <algorithm>
#include <iterator>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "engine/core/error.h"
#include "engine/core/step.h"

namespace skald::core {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

absl::Status check_chain(const Step& step, const std::string& first_run_id) {
  if (!first_run_id.empty() && first_run_id != step.state.first_run_id())
    return workflow_not_found(step.state.workflow_id());
  return absl::OkStatus();
}

absl::Status terminate_by_request(Step& step, const wire::TerminateWorkflowExecutionRequest& request) {
  if (auto status = check_chain(step, request.first_execution_run_id()); !status.ok()) return status;
  if (step.closed()) return already_completed();
  terminate(step, request.reason(), request.has_details() ? &request.details() : nullptr, request.identity());
  return absl::OkStatus();
}

absl::Status cancel_by_request(Step& step, const wire::RequestCancelWorkflowExecutionRequest& request) {
  if (auto status = check_chain(step, request.first_execution_run_id()); !status.ok()) return status;
  return request_cancel(step, request.reason(), request.identity(), request.request_id(), 0, nullptr);
}

absl::Status message_answered(Step& step, const MessageAnswered& input) {
  if (input.message.has_start_child()) {
    child_start_answered(step, input);
  } else {
    external_answered(step, input);
  }
  return absl::OkStatus();
}

// Why the run's history has become too long to go on; null if it has not.
const char* history_too_long(const state::RunState& state, const Limits& limits) {
  if (state.history_size_bytes() > static_cast<int64_t>(limits.history_error_bytes))
    return "Workflow history size exceeds limit.";
  if (state.next_event_id() - 1 > limits.history_error_events) return "Workflow history count exceeds limit.";
  return nullptr;
}

// What the server itself does to the run after an input: part of the same transition.
void add(Step& step, Transition& transition) {
  count_history(step.state, step.effects.events);
  Effects& effects = transition.effects;
  std::move(step.effects.events.begin(), step.effects.events.end(), std::back_inserter(effects.events));
  std::move(step.effects.outbox.begin(), step.effects.outbox.end(), std::back_inserter(effects.outbox));
  effects.dispatch_workflow_task = step.effects.dispatch_workflow_task;
  if (step.effects.closed) {
    effects.dispatch_activities.clear();
    effects.visibility_changed = effects.closed = true;
  }
  transition.durable = true;
}

// A run that did not continue as new in time is terminated by the server, as Temporal does.
void enforce_history_limits(state::RunState& state, const Context& context, Transition& transition) {
  const char* reason = history_too_long(state, context.limits);
  Step step(state, context);
  if (reason == nullptr || step.closed()) return;
  terminate(step, reason, nullptr, "history-service");
  add(step, transition);
}

// Timers, answers and messages cannot be refused while a workflow task is under way. When more of them wait than the limit allows, the
// task fails, and they go to history.
void enforce_buffer_limits(state::RunState& state, const Context& context, Transition& transition) {
  Step step(state, context);
  if (!step.task_started() || !buffer_overflows(step)) return;
  fail_task(step, enums::WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND, nullptr, "history-service");
  add(step, transition);
}

}  // namespace

void count_history(state::RunState& state, const std::vector<HistoryEvent>& events) {
  int64_t bytes = 0;
  for (const HistoryEvent& event : events) bytes += static_cast<int64_t>(event.ByteSizeLong());
  state.set_history_size_bytes(state.history_size_bytes() + bytes);
}

void take(Step& step, Transition& transition) {
  transition.effects = std::move(step.effects);
  transition.successor = std::move(step.successor);
  transition.changed = step.changed;
  transition.durable = step.durable;
}

void account(state::RunState& state, const Context& context, Transition& transition) {
  if (!transition.changed) return;
  count_history(state, transition.effects.events);
  enforce_buffer_limits(state, context, transition);
  enforce_history_limits(state, context, transition);
  state.set_state_transition_count(state.state_transition_count() + 1);
}

Transition apply(state::RunState& state, const Input& input, const Context& context) {
  Transition transition;
  if (const auto* completion = std::get_if<CompleteWorkflowTask>(&input)) {
    transition.status = complete_workflow_task(state, *completion, context, transition);
  } else {
    Step step(state, context);
    transition.status =
        std::visit(Overloaded{
                       [&](const SignalWorkflow& in) {
                         const auto& request = in.request;
                         return signal(step, request.signal_name(), request.has_input() ? &request.input() : nullptr,
                                       request.has_header() ? &request.header() : nullptr, request.identity(),
                                       request.request_id(), nullptr);
                       },
                       [&](const RequestCancelWorkflow& in) { return cancel_by_request(step, in.request); },
                       [&](const TerminateWorkflow& in) { return terminate_by_request(step, in.request); },
                       [&](const StartWorkflowTask& in) { return start_workflow_task(step, in, transition.output); },
                       [&](const CompleteWorkflowTask&) { return absl::OkStatus(); },
                       [&](const FailWorkflowTask& in) { return fail_workflow_task(step, in); },
                       [&](const ResetSticky&) { return reset_sticky(step), absl::OkStatus(); },
                       [&](const StartActivity& in) { return start_activity(step, in, transition.output); },
                       [&](const CompleteActivity& in) { return complete_activity(step, in); },
                       [&](const FailActivity& in) { return fail_activity(step, in); },
                       [&](const CancelActivity& in) { return cancel_activity(step, in); },
                       [&](const HeartbeatActivity& in) { return heartbeat_activity(step, in, transition.output); },
                       [&](const Tick&) { return tick(step), absl::OkStatus(); },
                       [&](const ReceiveMessage& in) { return receive_message(step, in.message); },
                       [&](const MessageAnswered& in) { return message_answered(step, in); },
                       [&](const ForgetStarts& in) { return forget_starts(step, in.process), absl::OkStatus(); },
                   },
                   input);
    take(step, transition);
  }
  account(state, context, transition);
  return transition;
}

std::string encode(const google::protobuf::Message& message) {
  std::string bytes;
  bytes.reserve(message.ByteSizeLong());
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&coded);
  coded.Trim();
  return bytes;
}

}  // namespace skald::core
