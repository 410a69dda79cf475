#include "cli/words.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;

std::string without_prefix(const std::string& name, std::string_view prefix) {
  return name.rfind(prefix, 0) == 0 ? name.substr(prefix.size()) : name;
}

// START_TO_CLOSE → start to close
std::string lower_words(const std::string& name, std::string_view prefix) {
  std::string text = without_prefix(name, prefix);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return c == '_' ? ' ' : static_cast<char>(std::tolower(c)); });
  return text;
}

// TIMED_OUT → TimedOut
std::string camel_case(const std::string& name, std::string_view prefix) {
  std::string text;
  bool first = true;
  for (const unsigned char c : without_prefix(name, prefix)) {
    if (c != '_') text += static_cast<char>(first ? c : std::tolower(c));
    first = c == '_';
  }
  return text;
}

}  // namespace

std::string words(enums::TimeoutType type) { return lower_words(enums::TimeoutType_Name(type), "TIMEOUT_TYPE_"); }

std::string words(enums::RetryState state) {
  switch (state) {
    case enums::RETRY_STATE_IN_PROGRESS:
      return "it is being retried";
    case enums::RETRY_STATE_NON_RETRYABLE_FAILURE:
      return "not retryable";
    case enums::RETRY_STATE_TIMEOUT:
      return "no time left to retry";
    case enums::RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED:
      return "no attempts left";
    case enums::RETRY_STATE_RETRY_POLICY_NOT_SET:
      return "no retry policy";
    case enums::RETRY_STATE_INTERNAL_SERVER_ERROR:
      return "the server failed";
    case enums::RETRY_STATE_CANCEL_REQUESTED:
      return "its cancellation was requested";
    default:
      return "";
  }
}

std::string words(enums::PendingActivityState state) {
  return lower_words(enums::PendingActivityState_Name(state), "PENDING_ACTIVITY_STATE_");
}

std::string words(enums::PendingWorkflowTaskState state) {
  return lower_words(enums::PendingWorkflowTaskState_Name(state), "PENDING_WORKFLOW_TASK_STATE_");
}

std::string words(enums::NamespaceState state) {
  return lower_words(enums::NamespaceState_Name(state), "NAMESPACE_STATE_");
}
std::string words(enums::ParentClosePolicy policy) {
  return lower_words(enums::ParentClosePolicy_Name(policy), "PARENT_CLOSE_POLICY_");
}

std::string words(enums::WorkflowTaskFailedCause cause) {
  return lower_words(enums::WorkflowTaskFailedCause_Name(cause), "WORKFLOW_TASK_FAILED_CAUSE_");
}

std::string status_name(enums::WorkflowExecutionStatus status) {
  return camel_case(enums::WorkflowExecutionStatus_Name(status), "WORKFLOW_EXECUTION_STATUS_");
}

std::string event_name(enums::EventType type) { return camel_case(enums::EventType_Name(type), "EVENT_TYPE_"); }

}  // namespace skald::cli
