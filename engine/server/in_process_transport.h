#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "engine/base/executor.h"
#include "engine/namespaces/registry.h"
#include "engine/shard/engine.h"
#include "engine/worker/transport.h"

namespace skald::server {

// A worker's way to the engine of its own process: the calls of the API, without the wire.
class InProcessTransport final : public worker::WorkerTransport {
 public:
  // All outlive the transport. `executor` delays the answers of polls that failed, so that a worker does not spin.
  InProcessTransport(shard::Engine& engine, const namespaces::Registry& namespaces, const base::Clock& clock, base::Executor& executor)
      : engine_(engine), namespaces_(namespaces), clock_(clock), executor_(executor) {}

  void poll_workflow_task(worker::wire::PollWorkflowTaskQueueRequest request, worker::Done<worker::wire::PollWorkflowTaskQueueResponse> done) override;
  void complete_workflow_task(worker::wire::RespondWorkflowTaskCompletedRequest request,
                              worker::Done<worker::wire::RespondWorkflowTaskCompletedResponse> done) override;
  void fail_workflow_task(worker::wire::RespondWorkflowTaskFailedRequest request,
                          worker::Done<worker::wire::RespondWorkflowTaskFailedResponse> done) override;
  void answer_query(worker::wire::RespondQueryTaskCompletedRequest request,
                    worker::Done<worker::wire::RespondQueryTaskCompletedResponse> done) override;
  void read_history(worker::wire::GetWorkflowExecutionHistoryRequest request,
                    worker::Done<worker::wire::GetWorkflowExecutionHistoryResponse> done) override;
  void poll_activity_task(worker::wire::PollActivityTaskQueueRequest request, worker::Done<worker::wire::PollActivityTaskQueueResponse> done) override;
  void complete_activity(worker::wire::RespondActivityTaskCompletedRequest request,
                         worker::Done<worker::wire::RespondActivityTaskCompletedResponse> done) override;
  void fail_activity(worker::wire::RespondActivityTaskFailedRequest request,
                     worker::Done<worker::wire::RespondActivityTaskFailedResponse> done) override;
  void cancel_activity(worker::wire::RespondActivityTaskCanceledRequest request,
                       worker::Done<worker::wire::RespondActivityTaskCanceledResponse> done) override;
  void heartbeat(worker::wire::RecordActivityTaskHeartbeatRequest request,
                 worker::Done<worker::wire::RecordActivityTaskHeartbeatResponse> done) override;
  void shutdown_worker(worker::wire::ShutdownWorkerRequest request, worker::Done<worker::wire::ShutdownWorkerResponse> done) override;
  // Ends open polls and lets no new one through; answers of tasks that run still pass.
  void shutdown() override;

 private:
  template <typename Request, typename Response>
  void forward(void (shard::Engine::*method)(shard::Call, Request, shard::Done<Response>), Request request, worker::Done<Response> done);
  template <typename T>
  worker::Done<T> ending_poll(uint64_t id, worker::Done<T> done);
  // The call of a poll, which shutdown() can end; nullopt after shutdown().
  std::optional<std::pair<uint64_t, shard::Call>> begin_poll(const std::string& namespace_name);

  shard::Engine& engine_;
  const namespaces::Registry& namespaces_;
  const base::Clock& clock_;
  base::Executor& executor_;
  std::mutex mutex_;
  bool shut_down_ = false;
  uint64_t next_poll_ = 1;
  std::map<uint64_t, std::shared_ptr<base::Cancellation>> polls_;
};

}  // namespace skald::server
