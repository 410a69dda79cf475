// The ends and heartbeats of activities, by task token and by id.
#include <utility>

#include "engine/shard/routing.h"

namespace skald::shard {
namespace {

template <typename Message>
std::optional<temporal::api::common::v1::Payloads> optional_payloads(bool set, const Message& payloads) {
  if (!set) return std::nullopt;
  return payloads;
}

template <typename Request>
core::state::TaskToken token_by_id(const Call& call, const Request& request) {
  core::state::TaskToken token;
  token.set_namespace_id(call.ns->id);
  token.set_workflow_id(request.workflow_id());
  token.set_run_id(request.run_id());
  token.set_activity_id(request.activity_id());
  return token;
}

}  // namespace

void EngineImpl::complete_activity(Call call, wire::RespondActivityTaskCompletedRequest request,
                                   Done<wire::RespondActivityTaskCompletedResponse> done) {
  apply_to_task(call, request.task_token(), std::move(done), [&request](core::state::TaskToken token) {
    return core::CompleteActivity{std::move(token), optional_payloads(request.has_result(), request.result()), request.identity()};
  });
}

void EngineImpl::complete_activity_by_id(Call call, wire::RespondActivityTaskCompletedByIdRequest request,
                                         Done<wire::RespondActivityTaskCompletedByIdResponse> done) {
  apply_to_task(call, token_by_id(call, request).SerializeAsString(), std::move(done), [&request](core::state::TaskToken token) {
    return core::CompleteActivity{std::move(token), optional_payloads(request.has_result(), request.result()), request.identity()};
  });
}

void EngineImpl::fail_activity(Call call, wire::RespondActivityTaskFailedRequest request, Done<wire::RespondActivityTaskFailedResponse> done) {
  apply_to_task(call, request.task_token(), std::move(done), [&request](core::state::TaskToken token) {
    return core::FailActivity{std::move(token), request.failure(),
                              optional_payloads(request.has_last_heartbeat_details(), request.last_heartbeat_details()), request.identity()};
  });
}

void EngineImpl::fail_activity_by_id(Call call, wire::RespondActivityTaskFailedByIdRequest request,
                                     Done<wire::RespondActivityTaskFailedByIdResponse> done) {
  apply_to_task(call, token_by_id(call, request).SerializeAsString(), std::move(done), [&request](core::state::TaskToken token) {
    return core::FailActivity{std::move(token), request.failure(),
                              optional_payloads(request.has_last_heartbeat_details(), request.last_heartbeat_details()), request.identity()};
  });
}

void EngineImpl::cancel_activity(Call call, wire::RespondActivityTaskCanceledRequest request,
                                 Done<wire::RespondActivityTaskCanceledResponse> done) {
  apply_to_task(call, request.task_token(), std::move(done), [&request](core::state::TaskToken token) {
    return core::CancelActivity{std::move(token), optional_payloads(request.has_details(), request.details()), request.identity()};
  });
}

void EngineImpl::cancel_activity_by_id(Call call, wire::RespondActivityTaskCanceledByIdRequest request,
                                       Done<wire::RespondActivityTaskCanceledByIdResponse> done) {
  apply_to_task(call, token_by_id(call, request).SerializeAsString(), std::move(done), [&request](core::state::TaskToken token) {
    return core::CancelActivity{std::move(token), optional_payloads(request.has_details(), request.details()), request.identity()};
  });
}

void EngineImpl::heartbeat(Call call, wire::RecordActivityTaskHeartbeatRequest request, Done<wire::RecordActivityTaskHeartbeatResponse> done) {
  apply_to_task(call, request.task_token(), std::move(done), [&request](core::state::TaskToken token) {
    return core::HeartbeatActivity{std::move(token), optional_payloads(request.has_details(), request.details()), request.identity()};
  });
}

void EngineImpl::heartbeat_by_id(Call call, wire::RecordActivityTaskHeartbeatByIdRequest request,
                                 Done<wire::RecordActivityTaskHeartbeatByIdResponse> done) {
  apply_to_task(call, token_by_id(call, request).SerializeAsString(), std::move(done), [&request](core::state::TaskToken token) {
    return core::HeartbeatActivity{std::move(token), optional_payloads(request.has_details(), request.details()), request.identity()};
  });
}

}  // namespace skald::shard
