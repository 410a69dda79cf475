#pragma once

#include <memory>
#include <string>

#include "engine/worker/timing.h"
#include "engine/worker/transport.h"

namespace skald::worker {

struct GrpcTransportOptions {
  std::string address;            // host:port
  bool tls = false;               // the server's certificate is checked against root_certificates
  std::string root_certificates;  // PEM; empty: the system's
  std::string certificate, key;   // PEM, of this client; empty: none
  std::string api_key;            // sent as a bearer token; empty: none
};

// A worker's way to any Temporal-compatible server: one channel, which connects again by itself. Polls wait for up to
// 70 s, other calls for 10 s. Answers to tasks and reads of history that fail because the server is away, busy or slow
// are repeated with growing pauses for up to a minute; polls and heartbeats are not: their callers do that.
// The clock and the executor outlive it, and must be running while a call is under way.
class GrpcTransport final : public WorkerTransport {
 public:
  GrpcTransport(const GrpcTransportOptions& options, Timing timing);
  ~GrpcTransport() override;  // ends all calls with CANCELLED, and waits until that is done

  // Whether the channel is connected now, or becomes so within `patience`.
  bool connected(absl::Duration patience = absl::ZeroDuration());

  void poll_workflow_task(wire::PollWorkflowTaskQueueRequest request,
                          Done<wire::PollWorkflowTaskQueueResponse> done) override;
  void complete_workflow_task(wire::RespondWorkflowTaskCompletedRequest request,
                              Done<wire::RespondWorkflowTaskCompletedResponse> done) override;
  void fail_workflow_task(wire::RespondWorkflowTaskFailedRequest request,
                          Done<wire::RespondWorkflowTaskFailedResponse> done) override;
  void answer_query(wire::RespondQueryTaskCompletedRequest request,
                    Done<wire::RespondQueryTaskCompletedResponse> done) override;
  void read_history(wire::GetWorkflowExecutionHistoryRequest request,
                    Done<wire::GetWorkflowExecutionHistoryResponse> done) override;
  void poll_activity_task(wire::PollActivityTaskQueueRequest request,
                          Done<wire::PollActivityTaskQueueResponse> done) override;
  void complete_activity(wire::RespondActivityTaskCompletedRequest request,
                         Done<wire::RespondActivityTaskCompletedResponse> done) override;
  void fail_activity(wire::RespondActivityTaskFailedRequest request,
                     Done<wire::RespondActivityTaskFailedResponse> done) override;
  void cancel_activity(wire::RespondActivityTaskCanceledRequest request,
                       Done<wire::RespondActivityTaskCanceledResponse> done) override;
  void heartbeat(wire::RecordActivityTaskHeartbeatRequest request,
                 Done<wire::RecordActivityTaskHeartbeatResponse> done) override;
  void shutdown_worker(wire::ShutdownWorkerRequest request, Done<wire::ShutdownWorkerResponse> done) override;
  void shutdown() override;

 private:
  enum class Kind { kPoll, kRepeated, kOnce };
  struct Call;
  struct State;

  template <typename Request, typename Response>
  void call(const char* method, Kind kind, Request request, Done<Response> done);

  std::shared_ptr<State> state_;
};

}  // namespace skald::worker
