#include "engine/api/dispatch.h"
#include "engine/api/validation.h"
#include "temporal/api/enums/v1/query.pb.h"

namespace skald::api {

absl::Status check_poll_deadline(const RawCall& call, absl::Time now) {
  constexpr absl::Duration kShortestPoll = absl::Seconds(2);
  if (call.deadline - now >= kShortestPoll) return absl::OkStatus();
  return absl::InvalidArgumentError("the poll's deadline is too near: give long polls at least two seconds");
}

namespace {

constexpr char kQueryResultTooLarge[] = "the query's result exceeds the size limit";

// An answer beyond the limit is an error to who asked: nobody waits for it in vain.
absl::Status hold_to_limit(wire::RespondQueryTaskCompletedRequest& request, const core::Limits& limits) {
  if (request.query_result().ByteSizeLong() <= limits.blob_error_bytes) return absl::OkStatus();
  request.clear_query_result();
  request.set_completed_type(temporal::api::enums::v1::QUERY_RESULT_TYPE_FAILED);
  request.set_error_message(kQueryResultTooLarge);
  return absl::OkStatus();
}

absl::Status hold_to_limit(wire::RespondWorkflowTaskCompletedRequest& request, const core::Limits& limits) {
  for (auto& [id, result] : *request.mutable_query_results()) {
    if (result.answer().ByteSizeLong() <= limits.blob_error_bytes) continue;
    result.clear_answer();
    result.set_result_type(temporal::api::enums::v1::QUERY_RESULT_TYPE_FAILED);
    result.set_error_message(kQueryResultTooLarge);
  }
  return absl::OkStatus();
}

}  // namespace

void add_worker_methods(const Backend& backend, Methods& methods) {
  using shard::Engine;
  const core::Limits& limits = backend.limits;
  const auto fine = [](auto&, const core::NamespaceSettings&) { return absl::OkStatus(); };
  const auto by_id = [&limits](auto& request, const core::NamespaceSettings&) {
    if (auto status = check_id("WorkflowId", request.workflow_id(), limits); !status.ok()) return status;
    if (auto status = check_run_id(request.run_id()); !status.ok()) return status;
    return check_id("ActivityId", request.activity_id(), limits);
  };
  const auto held_to_limit = [&limits](auto& request, const core::NamespaceSettings&) { return hold_to_limit(request, limits); };
  add(backend, methods, "RespondWorkflowTaskCompleted", &Engine::complete_workflow_task, held_to_limit);
  add(backend, methods, "RespondWorkflowTaskFailed", &Engine::fail_workflow_task, fine);
  add(backend, methods, "RespondQueryTaskCompleted", &Engine::answer_query, held_to_limit);
  add(backend, methods, "ResetStickyTaskQueue", &Engine::reset_sticky,
      [&limits](wire::ResetStickyTaskQueueRequest& request, const core::NamespaceSettings&) { return check_execution(request.execution(), limits); });
  add(backend, methods, "ShutdownWorker", &Engine::shutdown_worker, fine);
  add(backend, methods, "RespondActivityTaskCompleted", &Engine::complete_activity, fine);
  add(backend, methods, "RespondActivityTaskCompletedById", &Engine::complete_activity_by_id, by_id);
  add(backend, methods, "RespondActivityTaskFailed", &Engine::fail_activity, fine);
  add(backend, methods, "RespondActivityTaskFailedById", &Engine::fail_activity_by_id, by_id);
  add(backend, methods, "RespondActivityTaskCanceled", &Engine::cancel_activity, fine);
  add(backend, methods, "RespondActivityTaskCanceledById", &Engine::cancel_activity_by_id, by_id);
  add(backend, methods, "RecordActivityTaskHeartbeat", &Engine::heartbeat, fine);
  add(backend, methods, "RecordActivityTaskHeartbeatById", &Engine::heartbeat_by_id, by_id);
  add(backend, methods, "DescribeTaskQueue", &Engine::describe_task_queue,
      [&limits](wire::DescribeTaskQueueRequest& request, const core::NamespaceSettings&) {
        return check_task_queue(request.task_queue().name(), limits);
      });
  methods[workflow_method("PollActivityTaskQueue")] = [&backend](RawCall raw) {
    auto request = parse<wire::PollActivityTaskQueueRequest>(raw);
    if (!request.ok()) return raw.reply(request.status());
    auto call = engine_call(backend, raw, *request);
    if (!call.ok()) return raw.reply(call.status());
    absl::Status status = check_task_queue(request->task_queue().name(), backend.limits);
    if (status.ok()) status = check_poll_deadline(raw, backend.clock.now());
    if (!status.ok()) return raw.reply(status);
    backend.engine.poll_activity_task(*std::move(call), *std::move(request), serialized<wire::PollActivityTaskQueueResponse>(raw));
  };
}

}  // namespace skald::api
