#pragma once

#include <absl/status/status.h>
#include <google/protobuf/duration.pb.h>

#include <string>
#include <string_view>

#include "engine/core/core.h"
#include "temporal/api/common/v1/message.pb.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"

// Checks of a request's form, with Temporal's texts. What depends on a run is the core's.
namespace skald::api {

namespace wire = temporal::api::workflowservice::v1;

absl::Status check_id(std::string_view what, const std::string& id, const core::Limits& limits);           // set, and not too long
absl::Status check_optional_id(std::string_view what, const std::string& id, const core::Limits& limits);  // not too long
absl::Status check_task_queue(const std::string& name, const core::Limits& limits);                         // an id, and not reserved
absl::Status check_page_size(std::string_view what, int page_size);                                         // not negative
absl::Status check_run_id(const std::string& run_id);                                                       // empty or a UUID
absl::Status check_execution(const temporal::api::common::v1::WorkflowExecution& execution, const core::Limits& limits);
absl::Status check_timeout(std::string_view what, const google::protobuf::Duration& timeout);
absl::Status check_payloads(std::string_view what, const temporal::api::common::v1::Payloads& payloads, const core::Limits& limits);
absl::Status check_retry_policy(const temporal::api::common::v1::RetryPolicy& policy);
absl::Status check_search_attributes(const temporal::api::common::v1::SearchAttributes& attributes, const core::NamespaceSettings& ns,
                                     const core::Limits& limits);
// What start and signal-with-start have in common.
absl::Status check_start(const wire::StartWorkflowExecutionRequest& request, const core::NamespaceSettings& ns, const core::Limits& limits);

}  // namespace skald::api
