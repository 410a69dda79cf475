#include "engine/api/validation.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "engine/base/uuid.h"
#include "engine/core/times.h"
#include "engine/visibility/attributes.h"
#include "temporal/api/enums/v1/common.pb.h"
#include "temporal/api/enums/v1/workflow.pb.h"

namespace skald::api {
namespace {

namespace enums = temporal::api::enums::v1;

absl::string_view view(std::string_view text) { return {text.data(), text.size()}; }

// The first check that fails.
absl::Status all(std::initializer_list<absl::Status> checks) {
  for (const absl::Status& status : checks) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status check_policies(const wire::StartWorkflowExecutionRequest& request) {
  const auto reuse = request.workflow_id_reuse_policy();
  const auto conflict = request.workflow_id_conflict_policy();
  if (conflict != enums::WORKFLOW_ID_CONFLICT_POLICY_UNSPECIFIED && reuse == enums::WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING) {
    return absl::InvalidArgumentError(
        "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together with a WorkflowIDConflictPolicy.");
  }
  if (conflict == enums::WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING && reuse == enums::WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE) {
    return absl::InvalidArgumentError(
        "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together with WorkflowIdConflictPolicy "
        "WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status check_optional_id(std::string_view what, const std::string& id, const core::Limits& limits) {
  if (id.size() > limits.id_length) return absl::InvalidArgumentError(absl::StrCat(view(what), " length exceeds limit."));
  return absl::OkStatus();
}

absl::Status check_id(std::string_view what, const std::string& id, const core::Limits& limits) {
  if (id.empty()) return absl::InvalidArgumentError(absl::StrCat(view(what), " is not set on request."));
  return check_optional_id(what, id, limits);
}

absl::Status check_task_queue(const std::string& name, const core::Limits& limits) {
  if (core::is_reserved_task_queue(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("Invalid TaskQueue: names that begin with ", view(core::kReservedTaskQueues), " are reserved."));
  }
  return check_id("TaskQueue", name, limits);
}

absl::Status check_page_size(std::string_view what, int page_size) {
  if (page_size >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(view(what), " may not be negative."));
}

absl::Status check_run_id(const std::string& run_id) {
  if (run_id.empty() || base::is_uuid(run_id)) return absl::OkStatus();
  return absl::InvalidArgumentError("Invalid RunId.");
}

absl::Status check_execution(const temporal::api::common::v1::WorkflowExecution& execution, const core::Limits& limits) {
  return all({check_id("WorkflowId", execution.workflow_id(), limits), check_run_id(execution.run_id())});
}

absl::Status check_timeout(std::string_view what, const google::protobuf::Duration& timeout) {
  constexpr int64_t kLongestSeconds = int64_t{100} * 365 * 24 * 3600;
  const bool mixed = (timeout.seconds() > 0 && timeout.nanos() < 0) || (timeout.seconds() < 0 && timeout.nanos() > 0);
  if (timeout.seconds() >= 0 && timeout.nanos() >= 0 && timeout.nanos() < 1'000'000'000 && timeout.seconds() <= kLongestSeconds && !mixed) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("Invalid ", view(what), ": it is negative, malformed, or longer than a hundred years."));
}

absl::Status check_payloads(std::string_view what, const temporal::api::common::v1::Payloads& payloads, const core::Limits& limits) {
  if (payloads.ByteSizeLong() <= limits.blob_error_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(view(what), " exceeds size limit."));
}

absl::Status check_retry_policy(const temporal::api::common::v1::RetryPolicy& policy) {
  const absl::Duration initial = core::to_duration(policy.initial_interval());
  const absl::Duration longest = core::to_duration(policy.maximum_interval());
  const auto bad = [](const char* text) { return absl::InvalidArgumentError(text); };
  if (initial < absl::ZeroDuration()) return bad("InitialInterval cannot be negative on retry policy.");
  if (policy.backoff_coefficient() != 0 && !(policy.backoff_coefficient() >= 1)) return bad("BackoffCoefficient cannot be less than 1 on retry policy.");
  if (longest < absl::ZeroDuration()) return bad("MaximumInterval cannot be negative on retry policy.");
  if (longest > absl::ZeroDuration() && longest < initial) return bad("MaximumInterval cannot be less than InitialInterval on retry policy.");
  if (policy.maximum_attempts() < 0) return bad("MaximumAttempts cannot be negative on retry policy.");
  return absl::OkStatus();
}

absl::Status check_search_attributes(const temporal::api::common::v1::SearchAttributes& attributes, const core::NamespaceSettings& ns,
                                     const core::Limits& limits) {
  if (attributes.indexed_fields_size() > static_cast<int>(limits.search_attribute_keys)) {
    return absl::InvalidArgumentError(absl::StrCat("number of search attributes ", attributes.indexed_fields_size(), " exceeds limit ", limits.search_attribute_keys));
  }
  std::string undefined;
  std::string mistyped;
  std::string oversized;
  for (const auto& [name, payload] : attributes.indexed_fields()) {
    // The smallest name, so that the answer does not depend on the map's order.
    const auto type = ns.search_attributes.find(name);
    if (type == ns.search_attributes.end()) {
      if (undefined.empty() || name < undefined) undefined = name;
    } else if (!visibility::is_of_type(payload, type->second) && (mistyped.empty() || name < mistyped)) {
      mistyped = name;
    }
    if (payload.data().size() > limits.search_attribute_value_bytes && (oversized.empty() || name < oversized)) oversized = name;
  }
  if (!undefined.empty()) return absl::InvalidArgumentError(absl::StrCat("search attribute ", undefined, " is not defined"));
  if (!mistyped.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("invalid value for search attribute ", mistyped, ": it is not of the type that is defined for it, ",
                                                   enums::IndexedValueType_Name(ns.search_attributes.at(mistyped))));
  }
  if (!oversized.empty()) return absl::InvalidArgumentError(absl::StrCat("search attribute ", oversized, " exceeds size limit ", limits.search_attribute_value_bytes));
  if (attributes.ByteSizeLong() > limits.search_attributes_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("total size of search attributes exceeds size limit ", limits.search_attributes_bytes));
  }
  return absl::OkStatus();
}

absl::Status check_start(const wire::StartWorkflowExecutionRequest& request, const core::NamespaceSettings& ns, const core::Limits& limits) {
  return all({
      check_id("WorkflowId", request.workflow_id(), limits),
      check_id("WorkflowType", request.workflow_type().name(), limits),
      check_task_queue(request.task_queue().name(), limits),
      check_optional_id("RequestId", request.request_id(), limits),
      check_timeout("WorkflowExecutionTimeoutSeconds", request.workflow_execution_timeout()),
      check_timeout("WorkflowRunTimeoutSeconds", request.workflow_run_timeout()),
      check_timeout("WorkflowTaskTimeoutSeconds", request.workflow_task_timeout()),
      check_timeout("WorkflowStartDelay", request.workflow_start_delay()),
      !request.cron_schedule().empty() &&
              (request.workflow_start_delay().seconds() > 0 || request.workflow_start_delay().nanos() > 0)
          ? absl::InvalidArgumentError("CronSchedule and WorkflowStartDelay may not be used together.")
          : absl::OkStatus(),
      check_retry_policy(request.retry_policy()),
      check_policies(request),
      check_payloads("Input", request.input(), limits),
      check_payloads("LastCompletionResult", request.last_completion_result(), limits),
      request.memo().ByteSizeLong() > limits.memo_error_bytes ? absl::InvalidArgumentError("Memo exceeds size limit.")
                                                              : absl::OkStatus(),
      check_search_attributes(request.search_attributes(), ns, limits),
      request.user_metadata().summary().ByteSizeLong() > limits.summary_bytes
          ? absl::InvalidArgumentError("UserMetadata.Summary exceeds size limit.")
          : absl::OkStatus(),
      request.user_metadata().details().ByteSizeLong() > limits.details_bytes
          ? absl::InvalidArgumentError("UserMetadata.Details exceeds size limit.")
          : absl::OkStatus(),
      request.completion_callbacks_size() > 0
          ? absl::UnimplementedError("completion callbacks are not implemented by this server")
          : absl::OkStatus(),
  });
}

}  // namespace skald::api
