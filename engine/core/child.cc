#include <absl/strings/str_cat.h>

#include "engine/core/step.h"

namespace skald::core {
namespace {

using temporal::api::command::v1::Command;

CommandError bad_child(std::string text) { return {enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES, std::move(text)}; }

void follow_close_policy(Step& step, const state::PendingChild& child) {
  if (child.close_policy() == enums::PARENT_CLOSE_POLICY_ABANDON) return;
  auto message = new_message(step, child.namespace_id(), child.namespace_(), child.workflow_id(), child.run_id());
  if (child.close_policy() == enums::PARENT_CLOSE_POLICY_REQUEST_CANCEL) {
    message.mutable_cancel()->set_reason("by parent close policy");
  } else {
    message.mutable_terminate()->set_reason("by parent close policy");
  }
  step.effects.outbox.push_back(std::move(message));
}

template <typename Attributes>
void fill_child(Attributes* attributes, const state::PendingChild& child, const state::OutboxMessage& message) {
  attributes->set_namespace_(child.namespace_());
  attributes->set_namespace_id(child.namespace_id());
  attributes->mutable_workflow_execution()->set_workflow_id(child.workflow_id());
  attributes->mutable_workflow_execution()->set_run_id(message.source().run_id());
  attributes->mutable_workflow_type()->set_name(child.workflow_type());
  attributes->set_initiated_event_id(child.initiated_event_id());
  attributes->set_started_event_id(child.started_event_id());
}

void child_started(Step& step, state::PendingChild& child, const std::string& run_id) {
  child.set_run_id(run_id);
  auto& event = step.arrive(enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED);
  child.set_started_event_id(event.event_id());
  auto* attributes = event.mutable_child_workflow_execution_started_event_attributes();
  attributes->set_namespace_(child.namespace_());
  attributes->set_namespace_id(child.namespace_id());
  attributes->set_initiated_event_id(child.initiated_event_id());
  attributes->mutable_workflow_execution()->set_workflow_id(child.workflow_id());
  attributes->mutable_workflow_execution()->set_run_id(run_id);
  attributes->mutable_workflow_type()->set_name(child.workflow_type());
}

}  // namespace

CommandResult start_child(Step& step, const Command& command, int64_t completed_event_id) {
  const auto& given = command.start_child_workflow_execution_command_attributes();
  const Limits& limits = step.context.limits;
  if (given.workflow_id().empty()) return bad_child("WorkflowId is not set on StartChildWorkflowExecutionCommand.");
  if (given.workflow_type().name().empty()) return bad_child("WorkflowType is not set on StartChildWorkflowExecutionCommand.");
  if (given.workflow_id().size() > limits.id_length || given.workflow_type().name().size() > limits.id_length) {
    return bad_child("WorkflowId or WorkflowType exceeds the length limit.");
  }
  for (const auto* timeout : {&given.workflow_execution_timeout(), &given.workflow_run_timeout(), &given.workflow_task_timeout()}) {
    if (to_duration(*timeout) < absl::ZeroDuration()) return bad_child("Timeouts may not be negative.");
  }
  if (!given.cron_schedule().empty() && !check_cron(given.cron_schedule()).ok()) return bad_child("Invalid CronSchedule.");
  if (is_reserved_task_queue(given.task_queue().name()))
    return bad_child("Names of task queues that begin with /_sys/ are reserved.");
  if (!enums::ParentClosePolicy_IsValid(given.parent_close_policy())) return bad_child("Invalid ParentClosePolicy.");
  if (!enums::WorkflowIdReusePolicy_IsValid(given.workflow_id_reuse_policy()))
    return bad_child("Invalid WorkflowIdReusePolicy.");
  std::string namespace_id = step.state.namespace_id();
  std::string namespace_name = step.state.namespace_();
  if (!given.namespace_().empty() && given.namespace_() != namespace_name) {
    auto id = step.context.namespace_id(given.namespace_());
    if (!id) return bad_child(absl::StrCat("Namespace ", given.namespace_(), " is not found."));
    namespace_id = *std::move(id);
    namespace_name = given.namespace_();
  }
  // Another namespace's attributes are not known here.
  if (namespace_id == step.state.namespace_id()) {
    if (auto problem = check_search_attributes(step, given.search_attributes())) return bad_child(*std::move(problem));
  }
  if (step.state.children().size() >= limits.pending_children) {
    return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED, "too many child workflows are pending"};
  }

  auto& event = step.append(enums::EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED);
  if (command.has_user_metadata()) *event.mutable_user_metadata() = command.user_metadata();
  auto* attributes = event.mutable_start_child_workflow_execution_initiated_event_attributes();
  attributes->set_namespace_id(namespace_id);
  attributes->set_namespace_(namespace_name);
  attributes->set_workflow_id(given.workflow_id());
  *attributes->mutable_workflow_type() = given.workflow_type();
  attributes->mutable_task_queue()->set_name(given.task_queue().name().empty() ? step.state.task_queue() : given.task_queue().name());
  attributes->mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  if (given.has_input()) *attributes->mutable_input() = given.input();
  *attributes->mutable_workflow_execution_timeout() = given.workflow_execution_timeout();
  set(attributes->mutable_workflow_run_timeout(),
      run_timeout_within(to_duration(given.workflow_run_timeout()), to_duration(given.workflow_execution_timeout())));
  set(attributes->mutable_workflow_task_timeout(),
      task_timeout_within(to_duration(given.workflow_task_timeout()), to_duration(attributes->workflow_run_timeout()), limits));
  attributes->set_parent_close_policy(given.parent_close_policy() == enums::PARENT_CLOSE_POLICY_UNSPECIFIED ? enums::PARENT_CLOSE_POLICY_TERMINATE
                                                                                                            : given.parent_close_policy());
  attributes->set_control(given.control());
  attributes->set_workflow_task_completed_event_id(completed_event_id);
  attributes->set_workflow_id_reuse_policy(given.workflow_id_reuse_policy() == enums::WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED
                                               ? enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
                                               : given.workflow_id_reuse_policy());
  if (given.has_retry_policy()) *attributes->mutable_retry_policy() = given.retry_policy();
  attributes->set_cron_schedule(given.cron_schedule());
  if (given.has_header()) *attributes->mutable_header() = given.header();
  if (given.has_memo()) *attributes->mutable_memo() = given.memo();
  if (given.has_search_attributes()) *attributes->mutable_search_attributes() = given.search_attributes();
  if (given.has_priority()) *attributes->mutable_priority() = given.priority();

  auto message = new_message(step, namespace_id, namespace_name, given.workflow_id(), "");
  auto* start = message.mutable_start_child();
  start->set_initiated_event_id(event.event_id());
  *start->mutable_attributes() = *attributes;
  if (command.has_user_metadata()) *start->mutable_user_metadata() = command.user_metadata();
  if (step.state.has_root()) {
    *start->mutable_root() = step.state.root();
  } else {
    start->mutable_root()->set_workflow_id(step.state.workflow_id());
    start->mutable_root()->set_run_id(step.state.run_id());
  }
  state::PendingChild& child = (*step.state.mutable_children())[event.event_id()];
  child.set_initiated_event_id(event.event_id());
  child.set_namespace_id(namespace_id);
  child.set_namespace_(namespace_name);
  child.set_workflow_id(given.workflow_id());
  child.set_workflow_type(given.workflow_type().name());
  child.set_close_policy(attributes->parent_close_policy());
  child.set_create_request_id(message.id());
  step.effects.outbox.push_back(std::move(message));
  return std::nullopt;
}

void child_start_answered(Step& step, const MessageAnswered& input) {
  step.effects.outbox_done.push_back(input.message.id());
  const int64_t initiated = input.message.start_child().initiated_event_id();
  const auto found = step.state.mutable_children()->find(initiated);
  if (found == step.state.mutable_children()->end() || !found->second.run_id().empty()) return;
  state::PendingChild& child = found->second;
  step.mark_durable();
  if (step.closed()) {
    // The parent closed before it learned of the start: its close policy reaches the child now.
    child.set_run_id(input.run_id);
    if (input.status.ok()) {
      follow_close_policy(step, child);
      auto go = new_message(step, child.namespace_id(), child.namespace_(), child.workflow_id(), child.run_id());
      go.mutable_schedule_child_task();
      step.effects.outbox.push_back(std::move(go));
    }
    step.state.mutable_children()->erase(initiated);
    return;
  }
  if (input.status.ok()) {
    child_started(step, child, input.run_id);
    auto go = new_message(step, child.namespace_id(), child.namespace_(), child.workflow_id(), child.run_id());
    go.mutable_schedule_child_task();
    step.effects.outbox.push_back(std::move(go));
  } else {
    auto* attributes =
        step.arrive(enums::EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED).mutable_start_child_workflow_execution_failed_event_attributes();
    attributes->set_namespace_(child.namespace_());
    attributes->set_namespace_id(child.namespace_id());
    attributes->set_workflow_id(child.workflow_id());
    attributes->mutable_workflow_type()->set_name(child.workflow_type());
    attributes->set_cause(absl::IsAlreadyExists(input.status) ? enums::START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS
                                                              : enums::START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND);
    attributes->set_initiated_event_id(initiated);
    attributes->set_workflow_task_completed_event_id(input.message.start_child().attributes().workflow_task_completed_event_id());
    step.state.mutable_children()->erase(initiated);
  }
  schedule_workflow_task(step);
}

void child_closed(Step& step, const state::OutboxMessage& message) {
  const int64_t initiated = message.child_closed().initiated_event_id();
  const auto found = step.state.mutable_children()->find(initiated);
  if (step.closed() || found == step.state.mutable_children()->end()) return;
  state::PendingChild& child = found->second;
  if (child.run_id().empty()) child_started(step, child, message.child_closed().first_run_id());
  const HistoryEvent& close = message.child_closed().close_event();
  switch (close.event_type()) {
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: {
      auto* attributes =
          step.arrive(enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED).mutable_child_workflow_execution_completed_event_attributes();
      fill_child(attributes, child, message);
      const auto& from = close.workflow_execution_completed_event_attributes();
      if (from.has_result()) *attributes->mutable_result() = from.result();
      break;
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: {
      auto* attributes = step.arrive(enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED).mutable_child_workflow_execution_failed_event_attributes();
      fill_child(attributes, child, message);
      *attributes->mutable_failure() = close.workflow_execution_failed_event_attributes().failure();
      attributes->set_retry_state(close.workflow_execution_failed_event_attributes().retry_state());
      break;
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: {
      auto* attributes =
          step.arrive(enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED).mutable_child_workflow_execution_canceled_event_attributes();
      fill_child(attributes, child, message);
      const auto& from = close.workflow_execution_canceled_event_attributes();
      if (from.has_details()) *attributes->mutable_details() = from.details();
      break;
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: {
      auto* attributes =
          step.arrive(enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT).mutable_child_workflow_execution_timed_out_event_attributes();
      fill_child(attributes, child, message);
      attributes->set_retry_state(close.workflow_execution_timed_out_event_attributes().retry_state());
      break;
    }
    default:
      fill_child(step.arrive(enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED).mutable_child_workflow_execution_terminated_event_attributes(),
                 child, message);
  }
  step.state.mutable_children()->erase(initiated);
  schedule_workflow_task(step);
}

void close_children(Step& step) {
  for (const int64_t initiated : sorted_keys(step.state.children())) {
    const state::PendingChild child = step.state.children().at(initiated);
    if (child.run_id().empty()) continue;  // Its start is under way; the answer settles it.
    follow_close_policy(step, child);
    step.state.mutable_children()->erase(initiated);
  }
}

void tell_parent(Step& step, const HistoryEvent& close_event) {
  if (!step.state.has_parent()) return;
  const state::ParentInfo& parent = step.state.parent();
  auto message = new_message(step, parent.namespace_id(), parent.namespace_(), parent.workflow_id(), parent.run_id());
  auto* closed = message.mutable_child_closed();
  closed->set_initiated_event_id(parent.initiated_event_id());
  closed->set_child_workflow_type(step.state.workflow_type());
  *closed->mutable_close_event() = close_event;
  closed->set_first_run_id(step.state.first_run_id());
  step.effects.outbox.push_back(std::move(message));
}

}  // namespace skald::core
