// What commands and answers may carry: payloads and failures are held to their limits here, wherever they come in.
#include <absl/strings/str_cat.h>

#include "engine/core/step.h"

namespace skald::core {
namespace {

using google::protobuf::Message;
using temporal::api::command::v1::Command;

constexpr char kFailureTooLarge[] = "Failure exceeds size limit.";

// At most `limit` bytes of the text, and no part of a character: half of one would make the whole message unreadable.
std::string prefix(const std::string& text, size_t limit) {
  if (text.size() <= limit) return text;
  const auto continues = [&text](size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80; };
  while (limit > 0 && continues(limit)) --limit;
  return text.substr(0, limit);
}

CommandResult too_large(enums::WorkflowTaskFailedCause cause, std::string_view what) {
  return CommandError{cause, absl::StrCat(std::string(what), " exceeds size limit.")};
}

size_t size_of_values(const google::protobuf::Map<std::string, common::Payloads>& values) {
  size_t bytes = 0;
  for (const auto& [name, value] : values) bytes += name.size() + value.ByteSizeLong();
  return bytes;
}

}  // namespace

CommandResult check_sizes(const Step& step, const Command& command) {
  const Limits& limits = step.context.limits;
  const auto over = [](const Message& part, size_t limit) { return part.ByteSizeLong() > limit; };
  switch (command.command_type()) {
    case enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK: {
      const auto& given = command.schedule_activity_task_command_attributes();
      constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES;
      if (over(given.input(), limits.blob_error_bytes)) return too_large(kCause, "ScheduleActivityTaskCommandAttributes.Input");
      if (over(given.header(), limits.blob_error_bytes)) return too_large(kCause, "ScheduleActivityTaskCommandAttributes.Header");
      return std::nullopt;
    }
    case enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
      if (!over(command.complete_workflow_execution_command_attributes().result(), limits.blob_error_bytes)) return std::nullopt;
      return too_large(enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES,
                       "CompleteWorkflowExecutionCommandAttributes.Result");
    case enums::COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION:
      if (!over(command.cancel_workflow_execution_command_attributes().details(), limits.blob_error_bytes)) return std::nullopt;
      return too_large(enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES,
                       "CancelWorkflowExecutionCommandAttributes.Details");
    case enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION: {
      const auto& given = command.continue_as_new_workflow_execution_command_attributes();
      constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES;
      if (over(given.input(), limits.blob_error_bytes)) return too_large(kCause, "ContinueAsNewWorkflowExecutionCommandAttributes.Input");
      if (over(given.header(), limits.blob_error_bytes)) return too_large(kCause, "ContinueAsNewWorkflowExecutionCommandAttributes.Header");
      if (over(given.memo(), limits.memo_error_bytes)) return too_large(kCause, "ContinueAsNewWorkflowExecutionCommandAttributes.Memo");
      return std::nullopt;
    }
    case enums::COMMAND_TYPE_RECORD_MARKER: {
      const auto& given = command.record_marker_command_attributes();
      constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_RECORD_MARKER_ATTRIBUTES;
      if (size_of_values(given.details()) > limits.blob_error_bytes) return too_large(kCause, "RecordMarkerCommandAttributes.Details");
      if (over(given.header(), limits.blob_error_bytes)) return too_large(kCause, "RecordMarkerCommandAttributes.Header");
      return std::nullopt;
    }
    case enums::COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION: {
      const auto& given = command.signal_external_workflow_execution_command_attributes();
      constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES;
      if (over(given.input(), limits.blob_error_bytes)) return too_large(kCause, "SignalExternalWorkflowExecutionCommandAttributes.Input");
      if (over(given.header(), limits.blob_error_bytes)) return too_large(kCause, "SignalExternalWorkflowExecutionCommandAttributes.Header");
      return std::nullopt;
    }
    case enums::COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION: {
      const auto& given = command.start_child_workflow_execution_command_attributes();
      constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES;
      if (over(given.input(), limits.blob_error_bytes)) return too_large(kCause, "StartChildWorkflowExecutionCommandAttributes.Input");
      if (over(given.header(), limits.blob_error_bytes)) return too_large(kCause, "StartChildWorkflowExecutionCommandAttributes.Header");
      if (over(given.memo(), limits.memo_error_bytes)) return too_large(kCause, "StartChildWorkflowExecutionCommandAttributes.Memo");
      return std::nullopt;
    }
    default:
      // Failures are cut; memos and search attributes are measured as they are merged; the others carry no payloads.
      return std::nullopt;
  }
}

failure::Failure cut_to(const failure::Failure& cause, size_t limit) {
  if (cause.ByteSizeLong() <= limit) return cause;
  failure::Failure result;
  result.set_source(cause.source());
  result.set_message(prefix(cause.message(), limit / 2));
  result.set_stack_trace(prefix(cause.stack_trace(), limit / 4));
  if (cause.has_application_failure_info()) {
    result.mutable_application_failure_info()->set_type(prefix(cause.application_failure_info().type(), limit / 8));
    result.mutable_application_failure_info()->set_non_retryable(cause.application_failure_info().non_retryable());
  } else if (cause.has_timeout_failure_info()) {
    result.mutable_timeout_failure_info()->set_timeout_type(cause.timeout_failure_info().timeout_type());
  } else {
    result.mutable_server_failure_info();
  }
  return result;
}

failure::Failure within_limits(failure::Failure given, const Limits& limits) {
  failure::Failure* deepest = &given;
  for (int depth = 1; deepest->has_cause(); ++depth) {
    if (depth == limits.failure_depth) {
      deepest->clear_cause();
      break;
    }
    deepest = deepest->mutable_cause();
  }
  if (given.ByteSizeLong() <= limits.blob_error_bytes) return given;
  failure::Failure result = too_large_failure(kFailureTooLarge);
  *result.mutable_cause() = cut_to(given, limits.blob_warn_bytes);
  return result;
}

failure::Failure too_large_failure(std::string_view message) {
  failure::Failure result;
  result.set_message(std::string(message));
  result.set_source("Server");
  result.mutable_server_failure_info()->set_non_retryable(true);
  return result;
}

}  // namespace skald::core
