#include "cli/failure_text.h"

#include <fmt/format.h>

#include "cli/console.h"
#include "cli/payload.h"
#include "cli/words.h"

namespace skald::cli {
namespace {

using temporal::api::failure::v1::Failure;

std::string with_message(std::string what, const std::string& message) {
  if (message.empty()) return what;
  return what.empty() ? message : what + ": " + message;
}

std::string with_reason(std::string what, const std::string& reason) {
  return reason.empty() ? what : what + ": " + reason;
}

std::string application_line(const Failure& failure) {
  const auto& info = failure.application_failure_info();
  std::string line = with_message(info.type(), failure.message());
  if (info.has_details() && info.details().payloads_size() > 0) line += " " + payloads_text(info.details());
  if (info.non_retryable()) line += " (not retryable)";
  return line;
}

std::string line_of(const Failure& failure) {
  switch (failure.failure_info_case()) {
    case Failure::kApplicationFailureInfo:
      return application_line(failure);
    case Failure::kTimeoutFailureInfo:
      return with_message(fmt::format("timeout ({})", words(failure.timeout_failure_info().timeout_type())),
                          failure.message());
    case Failure::kCanceledFailureInfo:
      return with_message("canceled", failure.message());
    case Failure::kTerminatedFailureInfo:
      return with_message("terminated", failure.message());
    case Failure::kServerFailureInfo:
      return with_message("server failure", failure.message());
    case Failure::kActivityFailureInfo: {
      const auto& info = failure.activity_failure_info();
      return with_reason(fmt::format("activity {} (id {}) failed", info.activity_type().name(), info.activity_id()),
                         words(info.retry_state()));
    }
    case Failure::kChildWorkflowExecutionFailureInfo: {
      const auto& info = failure.child_workflow_execution_failure_info();
      return with_reason(fmt::format("child workflow {} ({}) failed", info.workflow_execution().workflow_id(),
                                     info.workflow_type().name()),
                         words(info.retry_state()));
    }
    case Failure::kNexusOperationExecutionFailureInfo: {
      const auto& info = failure.nexus_operation_execution_failure_info();
      return with_message(fmt::format("Nexus operation {}.{}", info.service(), info.operation()), failure.message());
    }
    default:
      return with_message("", failure.message());
  }
}

}  // namespace

std::string failure_line(const Failure& failure) {
  const std::string line = one_line(line_of(failure));
  return line.empty() ? "a failure without a message" : line;
}

std::string root_failure_line(const Failure& failure) {
  const Failure* root = &failure;
  while (root->has_cause()) root = &root->cause();
  return failure_line(*root);
}

std::string failure_chain(const Failure& failure) {
  std::string chain = failure_line(failure);
  size_t depth = 1;
  for (const Failure* cause = &failure; cause->has_cause(); ++depth) {
    cause = &cause->cause();
    chain += "\n" + std::string(2 * depth, ' ') + "caused by " + failure_line(*cause);
  }
  return chain;
}

}  // namespace skald::cli
