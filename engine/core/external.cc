#include <absl/strings/str_cat.h>

#include "engine/base/uuid.h"
#include "engine/core/error.h"
#include "engine/core/step.h"

namespace skald::core {
namespace {

using temporal::api::command::v1::Command;

// The namespace a command names (its own if none); nullopt if it does not exist.
std::optional<std::pair<std::string, std::string>> resolve(const Step& step, const std::string& name) {
  if (name.empty() || name == step.state.namespace_()) return std::pair(step.state.namespace_id(), step.state.namespace_());
  auto id = step.context.namespace_id(name);
  if (!id) return std::nullopt;
  return std::pair(*std::move(id), name);
}

std::optional<std::string> check_target(const Step& step, const common::WorkflowExecution& target) {
  if (target.workflow_id().empty()) return "WorkflowId is not set on command.";
  if (target.workflow_id().size() > step.context.limits.id_length) return "WorkflowId exceeds the length limit.";
  if (!target.run_id().empty() && !base::is_uuid(target.run_id())) return "Invalid RunId set on command.";
  return std::nullopt;
}

state::PendingExternal& pend(google::protobuf::Map<int64_t, state::PendingExternal>& map, int64_t initiated, const common::WorkflowExecution& target,
                             const std::pair<std::string, std::string>& ns, const std::string& request_id) {
  state::PendingExternal& pending = map[initiated];
  pending.set_initiated_event_id(initiated);
  *pending.mutable_target() = target;
  pending.set_namespace_id(ns.first);
  pending.set_namespace_(ns.second);
  pending.set_request_id(request_id);
  return pending;
}

void signal_answered(Step& step, const MessageAnswered& input) {
  const int64_t initiated = input.message.signal().initiated_event_id();
  const auto found = step.state.external_signals().find(initiated);
  if (found == step.state.external_signals().end() || step.closed()) return;
  const state::PendingExternal pending = found->second;
  step.state.mutable_external_signals()->erase(initiated);
  if (input.status.ok()) {
    auto* attributes =
        step.arrive(enums::EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED).mutable_external_workflow_execution_signaled_event_attributes();
    attributes->set_initiated_event_id(initiated);
    attributes->set_namespace_(pending.namespace_());
    attributes->set_namespace_id(pending.namespace_id());
    *attributes->mutable_workflow_execution() = pending.target();
    attributes->set_control(pending.control());
  } else {
    auto* attributes = step.arrive(enums::EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED)
                           .mutable_signal_external_workflow_execution_failed_event_attributes();
    attributes->set_cause(absl::IsNotFound(input.status)
                              ? enums::SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND
                              : enums::SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_SIGNAL_COUNT_LIMIT_EXCEEDED);
    attributes->set_namespace_(pending.namespace_());
    attributes->set_namespace_id(pending.namespace_id());
    *attributes->mutable_workflow_execution() = pending.target();
    attributes->set_initiated_event_id(initiated);
    attributes->set_control(pending.control());
  }
  schedule_workflow_task(step);
}

void cancel_answered(Step& step, const MessageAnswered& input) {
  const int64_t initiated = input.message.cancel().initiated_event_id();
  const auto found = step.state.external_cancels().find(initiated);
  if (found == step.state.external_cancels().end() || step.closed()) return;
  const state::PendingExternal pending = found->second;
  step.state.mutable_external_cancels()->erase(initiated);
  if (input.status.ok()) {
    auto* attributes = step.arrive(enums::EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED)
                           .mutable_external_workflow_execution_cancel_requested_event_attributes();
    attributes->set_initiated_event_id(initiated);
    attributes->set_namespace_(pending.namespace_());
    attributes->set_namespace_id(pending.namespace_id());
    *attributes->mutable_workflow_execution() = pending.target();
  } else {
    auto* attributes = step.arrive(enums::EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED)
                           .mutable_request_cancel_external_workflow_execution_failed_event_attributes();
    attributes->set_cause(enums::CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND);
    attributes->set_namespace_(pending.namespace_());
    attributes->set_namespace_id(pending.namespace_id());
    *attributes->mutable_workflow_execution() = pending.target();
    attributes->set_initiated_event_id(initiated);
    attributes->set_control(pending.control());
  }
  schedule_workflow_task(step);
}

}  // namespace

state::OutboxMessage new_message(Step& step, const std::string& target_namespace_id, const std::string& target_namespace,
                                 const std::string& workflow_id, const std::string& run_id) {
  state::OutboxMessage message;
  message.set_id(step.context.random.uuid());
  message.mutable_source()->set_workflow_id(step.state.workflow_id());
  message.mutable_source()->set_run_id(step.state.run_id());
  message.set_source_namespace_id(step.state.namespace_id());
  message.set_source_namespace(step.state.namespace_());
  message.set_target_namespace_id(target_namespace_id);
  message.set_target_namespace(target_namespace);
  message.mutable_target()->set_workflow_id(workflow_id);
  message.mutable_target()->set_run_id(run_id);
  return message;
}

CommandResult signal_external(Step& step, const Command& command, int64_t completed_event_id) {
  const auto bad = [](std::string text) {
    return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES, std::move(text)};
  };
  const auto& given = command.signal_external_workflow_execution_command_attributes();
  if (auto problem = check_target(step, given.execution())) return bad(*problem);
  if (given.signal_name().empty()) return bad("SignalName is not set on command.");
  const auto ns = resolve(step, given.namespace_());
  if (!ns) return bad(absl::StrCat("Namespace ", given.namespace_(), " is not found."));
  if (step.state.external_signals().size() >= step.context.limits.pending_signals) {
    return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_PENDING_SIGNALS_LIMIT_EXCEEDED, "too many signals to other workflows are pending"};
  }
  auto& event = step.append(enums::EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED);
  auto* attributes = event.mutable_signal_external_workflow_execution_initiated_event_attributes();
  attributes->set_workflow_task_completed_event_id(completed_event_id);
  attributes->set_namespace_id(ns->first);
  attributes->set_namespace_(ns->second);
  *attributes->mutable_workflow_execution() = given.execution();
  attributes->set_signal_name(given.signal_name());
  if (given.has_input()) *attributes->mutable_input() = given.input();
  attributes->set_control(given.control());
  attributes->set_child_workflow_only(given.child_workflow_only());
  if (given.has_header()) *attributes->mutable_header() = given.header();
  auto message = new_message(step, ns->first, ns->second, given.execution().workflow_id(), given.execution().run_id());
  message.mutable_signal()->set_initiated_event_id(event.event_id());
  *message.mutable_signal()->mutable_attributes() = *attributes;
  auto& pending = pend(*step.state.mutable_external_signals(), event.event_id(), given.execution(), *ns, message.id());
  pending.set_control(given.control());
  pending.set_signal_name(given.signal_name());
  pending.set_child_workflow_only(given.child_workflow_only());
  step.effects.outbox.push_back(std::move(message));
  return std::nullopt;
}

CommandResult cancel_external(Step& step, const Command& command, int64_t completed_event_id) {
  const auto bad = [](std::string text) {
    return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES, std::move(text)};
  };
  const auto& given = command.request_cancel_external_workflow_execution_command_attributes();
  common::WorkflowExecution target;
  target.set_workflow_id(given.workflow_id());
  target.set_run_id(given.run_id());
  if (auto problem = check_target(step, target)) return bad(*problem);
  const auto ns = resolve(step, given.namespace_());
  if (!ns) return bad(absl::StrCat("Namespace ", given.namespace_(), " is not found."));
  if (step.state.external_cancels().size() >= step.context.limits.pending_cancels) {
    return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED, "too many cancellations of other workflows are pending"};
  }
  auto& event = step.append(enums::EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED);
  auto* attributes = event.mutable_request_cancel_external_workflow_execution_initiated_event_attributes();
  attributes->set_workflow_task_completed_event_id(completed_event_id);
  attributes->set_namespace_id(ns->first);
  attributes->set_namespace_(ns->second);
  *attributes->mutable_workflow_execution() = target;
  attributes->set_control(given.control());
  attributes->set_child_workflow_only(given.child_workflow_only());
  attributes->set_reason(given.reason());
  auto message = new_message(step, ns->first, ns->second, target.workflow_id(), target.run_id());
  message.mutable_cancel()->set_initiated_event_id(event.event_id());
  message.mutable_cancel()->set_reason(given.reason());
  message.mutable_cancel()->set_child_workflow_only(given.child_workflow_only());
  pend(*step.state.mutable_external_cancels(), event.event_id(), target, *ns, message.id()).set_control(given.control());
  step.effects.outbox.push_back(std::move(message));
  return std::nullopt;
}

void external_answered(Step& step, const MessageAnswered& input) {
  step.effects.outbox_done.push_back(input.message.id());
  if (input.message.has_signal()) signal_answered(step, input);
  if (input.message.has_cancel()) cancel_answered(step, input);
}

absl::Status receive_message(Step& step, const state::OutboxMessage& message) {
  const bool from_parent = step.state.parent().run_id() == message.source().run_id();
  switch (message.content_case()) {
    case state::OutboxMessage::kScheduleChildTask:
      if (step.closed() || !step.state.awaiting_first_task()) return absl::OkStatus();
      step.state.set_awaiting_first_task(false);
      step.mark_durable();
      schedule_workflow_task(step);
      return absl::OkStatus();
    case state::OutboxMessage::kChildClosed:
      child_closed(step, message);
      return absl::OkStatus();
    case state::OutboxMessage::kSignal: {
      const auto& given = message.signal().attributes();
      if (given.child_workflow_only() && !from_parent) return workflow_not_found(step.state.workflow_id());
      return signal(step, given.signal_name(), given.has_input() ? &given.input() : nullptr, given.has_header() ? &given.header() : nullptr,
                    "history-service", message.id(), &message.source());
    }
    case state::OutboxMessage::kCancel:
      if (message.cancel().child_workflow_only() && !from_parent) return workflow_not_found(step.state.workflow_id());
      return request_cancel(step, message.cancel().reason(), "history-service", message.id(), message.cancel().initiated_event_id(),
                            &message.source());
    case state::OutboxMessage::kTerminate:
      if (!step.closed()) terminate(step, message.terminate().reason(), nullptr, "history-service");
      return absl::OkStatus();
    default:
      return absl::InternalError("a message between workflows has no content");
  }
}

}  // namespace skald::core
