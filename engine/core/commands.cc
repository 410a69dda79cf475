#include <absl/strings/str_cat.h>

#include "engine/core/step.h"

namespace skald::core {
namespace {

CommandResult record_marker(Step& step, const temporal::api::command::v1::Command& command, int64_t completed_event_id) {
  const auto& marker = command.record_marker_command_attributes();
  if (marker.marker_name().empty()) {
    return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_RECORD_MARKER_ATTRIBUTES, "MarkerName is not set on RecordMarkerCommand."};
  }
  auto& event = step.append(enums::EVENT_TYPE_MARKER_RECORDED);
  if (command.has_user_metadata()) *event.mutable_user_metadata() = command.user_metadata();
  auto* attributes = event.mutable_marker_recorded_event_attributes();
  attributes->set_marker_name(marker.marker_name());
  *attributes->mutable_details() = marker.details();
  attributes->set_workflow_task_completed_event_id(completed_event_id);
  if (marker.has_header()) *attributes->mutable_header() = marker.header();
  if (marker.has_failure()) *attributes->mutable_failure() = within_limits(marker.failure(), step.context.limits);
  return std::nullopt;
}

// No cause speaks of a command's type: the ones for bad attributes each mean one command, and UNHANDLED_COMMAND means
// that new events came.
CommandError not_offered(enums::CommandType type) {
  const auto cause = enums::WORKFLOW_TASK_FAILED_CAUSE_FEATURE_DISABLED;
  if (type == enums::COMMAND_TYPE_UNSPECIFIED) return {cause, "a command has no type"};
  if (enums::CommandType_IsValid(type)) {
    return {cause, absl::StrCat("the command ", enums::CommandType_Name(type), " is not implemented by this server")};
  }
  return {cause, absl::StrCat("this server does not know commands of type ", static_cast<int>(type),
                              "; its worker may be of a newer release")};
}

}  // namespace

bool is_closing(const temporal::api::command::v1::Command& command) {
  switch (command.command_type()) {
    case enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
    case enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION:
    case enums::COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION:
    case enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION:
      return true;
    default:
      return false;
  }
}

CommandResult apply_command(Step& step, const temporal::api::command::v1::Command& command, int64_t completed) {
  if (auto error = check_sizes(step, command)) return error;
  switch (command.command_type()) {
    case enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK:
      return schedule_activity(step, command, completed);
    case enums::COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK:
      return request_cancel_activity(step, command.request_cancel_activity_task_command_attributes().scheduled_event_id(), completed);
    case enums::COMMAND_TYPE_START_TIMER:
      return start_timer(step, command, completed);
    case enums::COMMAND_TYPE_CANCEL_TIMER:
      return cancel_timer(step, command.cancel_timer_command_attributes().timer_id(), completed, step.state.most_recent_worker_identity());
    case enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION: {
      const auto& attributes = command.complete_workflow_execution_command_attributes();
      complete_workflow(step, attributes.has_result() ? &attributes.result() : nullptr, completed);
      return std::nullopt;
    }
    case enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION: {
      const auto& attributes = command.fail_workflow_execution_command_attributes();
      if (!attributes.has_failure()) {
        return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES,
                            "Failure is not set on FailWorkflowExecutionCommand."};
      }
      fail_workflow(step, within_limits(attributes.failure(), step.context.limits), completed);
      return std::nullopt;
    }
    case enums::COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION: {
      const auto& attributes = command.cancel_workflow_execution_command_attributes();
      cancel_workflow(step, attributes.has_details() ? &attributes.details() : nullptr, completed);
      return std::nullopt;
    }
    case enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION:
      return continue_as_new(step, command.continue_as_new_workflow_execution_command_attributes(), completed);
    case enums::COMMAND_TYPE_RECORD_MARKER:
      return record_marker(step, command, completed);
    case enums::COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION:
      return signal_external(step, command, completed);
    case enums::COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION:
      return cancel_external(step, command, completed);
    case enums::COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION:
      return start_child(step, command, completed);
    case enums::COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
      return upsert_search_attributes(step, command.upsert_workflow_search_attributes_command_attributes().search_attributes(), completed);
    case enums::COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES:
      return modify_properties(step, command.modify_workflow_properties_command_attributes().upserted_memo(), completed);
    default:
      return not_offered(command.command_type());
  }
}

}  // namespace skald::core
