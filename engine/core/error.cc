#include "engine/core/error.h"

#include "temporal/api/errordetails/v1/message.pb.h"
#include <absl/strings/cord.h>

namespace skald::core {

std::string detail_type_url(std::string_view full_name) { return "type.googleapis.com/" + std::string(full_name); }

absl::Status with_detail(absl::Status status, const google::protobuf::Message& detail) {
  status.SetPayload(detail_type_url(detail.GetDescriptor()->full_name()), absl::Cord(detail.SerializeAsString()));
  return status;
}

absl::Status not_found(std::string_view text) {
  return with_detail(absl::NotFoundError({text.data(), text.size()}),
                     temporal::api::errordetails::v1::NotFoundFailure());
}

absl::Status workflow_not_found(std::string_view workflow_id) {
  return not_found("workflow not found for ID: " + std::string(workflow_id));
}

absl::Status already_completed() { return not_found("workflow execution already completed"); }

absl::Status already_started(std::string_view text, std::string_view start_request_id, std::string_view run_id) {
  temporal::api::errordetails::v1::WorkflowExecutionAlreadyStartedFailure detail;
  detail.set_start_request_id(std::string(start_request_id));
  detail.set_run_id(std::string(run_id));
  return with_detail(absl::AlreadyExistsError({text.data(), text.size()}), detail);
}

absl::Status workflow_busy(std::string_view text) {
  temporal::api::errordetails::v1::ResourceExhaustedFailure detail;
  detail.set_cause(temporal::api::enums::v1::RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW);
  detail.set_scope(temporal::api::enums::v1::RESOURCE_EXHAUSTED_SCOPE_NAMESPACE);
  return with_detail(absl::ResourceExhaustedError({text.data(), text.size()}), detail);
}

}  // namespace skald::core
