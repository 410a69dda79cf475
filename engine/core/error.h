#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <google/protobuf/message.h>

// Errors as Temporal's clients know them: a canonical code, an exact text where SDKs match on it, and a detail message.
namespace skald::core {

// The type URL under which a detail of this name is kept as a payload of a status, and packed into google.rpc.Status.
std::string detail_type_url(std::string_view full_name);

// `status` with `detail` attached, for the API to send in grpc-status-details-bin.
absl::Status with_detail(absl::Status status, const google::protobuf::Message& detail);

// NOT_FOUND, with NotFoundFailure.
absl::Status not_found(std::string_view text);
absl::Status workflow_not_found(std::string_view workflow_id);
// The run is closed: SDKs match on this text.
absl::Status already_completed();
// ALREADY_EXISTS, with WorkflowExecutionAlreadyStartedFailure.
absl::Status already_started(std::string_view text, std::string_view start_request_id, std::string_view run_id);

// RESOURCE_EXHAUSTED, with ResourceExhaustedFailure: this workflow has too much on its hands.
absl::Status workflow_busy(std::string_view text);

}  // namespace skald::core
