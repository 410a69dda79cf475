#pragma once

#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <absl/strings/match.h>

namespace skald::worker {

namespace wire = temporal::api::workflowservice::v1;

template <typename T>
using Done = absl::AnyInvocable<void(absl::StatusOr<T>)>;

// What gRPC answers for a message that the receiver does not take, however often it is sent.
inline bool too_large(const absl::Status& status) {
  return absl::IsResourceExhausted(status) && absl::StrContains(status.message(), "larger than max");
}

// How a worker talks to a server: in the server's own process, or over gRPC to any Temporal-compatible one. Requests
// carry the namespace. All calls return at once; `done` is called exactly once, on any thread, and must not block.
// Polls are long: they answer with an empty task token when there was nothing. shutdown() ends open polls with
// CANCELLED and lets no new poll through; answers to tasks that run still pass. Thread-safe.
class WorkerTransport {
 public:
  virtual ~WorkerTransport() = default;

  virtual void poll_workflow_task(wire::PollWorkflowTaskQueueRequest request,
                                  Done<wire::PollWorkflowTaskQueueResponse> done) = 0;
  virtual void complete_workflow_task(wire::RespondWorkflowTaskCompletedRequest request,
                                      Done<wire::RespondWorkflowTaskCompletedResponse> done) = 0;
  virtual void fail_workflow_task(wire::RespondWorkflowTaskFailedRequest request,
                                  Done<wire::RespondWorkflowTaskFailedResponse> done) = 0;
  virtual void answer_query(wire::RespondQueryTaskCompletedRequest request,
                            Done<wire::RespondQueryTaskCompletedResponse> done) = 0;
  virtual void read_history(wire::GetWorkflowExecutionHistoryRequest request,
                            Done<wire::GetWorkflowExecutionHistoryResponse> done) = 0;

  virtual void poll_activity_task(wire::PollActivityTaskQueueRequest request,
                                  Done<wire::PollActivityTaskQueueResponse> done) = 0;
  virtual void complete_activity(wire::RespondActivityTaskCompletedRequest request,
                                 Done<wire::RespondActivityTaskCompletedResponse> done) = 0;
  virtual void fail_activity(wire::RespondActivityTaskFailedRequest request,
                             Done<wire::RespondActivityTaskFailedResponse> done) = 0;
  virtual void cancel_activity(wire::RespondActivityTaskCanceledRequest request,
                               Done<wire::RespondActivityTaskCanceledResponse> done) = 0;
  virtual void heartbeat(wire::RecordActivityTaskHeartbeatRequest request,
                         Done<wire::RecordActivityTaskHeartbeatResponse> done) = 0;

  // Tells the server that this worker is going, so that it ends the worker's polls and uses its sticky queue no more.
  virtual void shutdown_worker(wire::ShutdownWorkerRequest request, Done<wire::ShutdownWorkerResponse> done) = 0;

  virtual void shutdown() = 0;
};

}  // namespace skald::worker
