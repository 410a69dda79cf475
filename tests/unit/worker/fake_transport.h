#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/worker/transport.h"

namespace skald::worker {

// A server that a test plays itself: it sees each call, and answers it when it likes.
class FakeTransport final : public WorkerTransport {
 public:
  template <typename Request, typename Response>
  struct Calls {
    struct Call {
      Request request;
      Done<Response> done;
    };
    std::deque<Call> open;
    std::vector<Request> seen;

    void take(Request request, Done<Response> done) {
      seen.push_back(request);
      open.push_back({std::move(request), std::move(done)});
    }
    // Answers the oldest open call.
    void answer(absl::StatusOr<Response> response) {
      Call call = std::move(open.front());
      open.pop_front();
      call.done(std::move(response));
    }
  };

  Calls<wire::PollWorkflowTaskQueueRequest, wire::PollWorkflowTaskQueueResponse> workflow_polls, sticky_polls;
  Calls<wire::RespondWorkflowTaskCompletedRequest, wire::RespondWorkflowTaskCompletedResponse> workflow_completions;
  Calls<wire::RespondWorkflowTaskFailedRequest, wire::RespondWorkflowTaskFailedResponse> workflow_failures;
  Calls<wire::RespondQueryTaskCompletedRequest, wire::RespondQueryTaskCompletedResponse> query_answers;
  Calls<wire::GetWorkflowExecutionHistoryRequest, wire::GetWorkflowExecutionHistoryResponse> history_reads;
  Calls<wire::PollActivityTaskQueueRequest, wire::PollActivityTaskQueueResponse> activity_polls;
  Calls<wire::RespondActivityTaskCompletedRequest, wire::RespondActivityTaskCompletedResponse> completions;
  Calls<wire::RespondActivityTaskFailedRequest, wire::RespondActivityTaskFailedResponse> failures;
  Calls<wire::RespondActivityTaskCanceledRequest, wire::RespondActivityTaskCanceledResponse> cancellations;
  Calls<wire::RecordActivityTaskHeartbeatRequest, wire::RecordActivityTaskHeartbeatResponse> heartbeats;
  Calls<wire::ShutdownWorkerRequest, wire::ShutdownWorkerResponse> shutdowns;

  void poll_workflow_task(wire::PollWorkflowTaskQueueRequest request,
                          Done<wire::PollWorkflowTaskQueueResponse> done) override {
    const bool sticky = !request.task_queue().normal_name().empty();
    (sticky ? sticky_polls : workflow_polls).take(std::move(request), std::move(done));
  }
  void complete_workflow_task(wire::RespondWorkflowTaskCompletedRequest request,
                              Done<wire::RespondWorkflowTaskCompletedResponse> done) override {
    workflow_completions.take(std::move(request), std::move(done));
  }
  void fail_workflow_task(wire::RespondWorkflowTaskFailedRequest request,
                          Done<wire::RespondWorkflowTaskFailedResponse> done) override {
    workflow_failures.take(std::move(request), std::move(done));
  }
  void answer_query(wire::RespondQueryTaskCompletedRequest request,
                    Done<wire::RespondQueryTaskCompletedResponse> done) override {
    query_answers.take(std::move(request), std::move(done));
  }
  void read_history(wire::GetWorkflowExecutionHistoryRequest request,
                    Done<wire::GetWorkflowExecutionHistoryResponse> done) override {
    history_reads.take(std::move(request), std::move(done));
  }
  void poll_activity_task(wire::PollActivityTaskQueueRequest request,
                          Done<wire::PollActivityTaskQueueResponse> done) override {
    activity_polls.take(std::move(request), std::move(done));
  }
  void complete_activity(wire::RespondActivityTaskCompletedRequest request,
                         Done<wire::RespondActivityTaskCompletedResponse> done) override {
    completions.take(std::move(request), std::move(done));
  }
  void fail_activity(wire::RespondActivityTaskFailedRequest request,
                     Done<wire::RespondActivityTaskFailedResponse> done) override {
    failures.take(std::move(request), std::move(done));
  }
  void cancel_activity(wire::RespondActivityTaskCanceledRequest request,
                       Done<wire::RespondActivityTaskCanceledResponse> done) override {
    cancellations.take(std::move(request), std::move(done));
  }
  void heartbeat(wire::RecordActivityTaskHeartbeatRequest request,
                 Done<wire::RecordActivityTaskHeartbeatResponse> done) override {
    heartbeats.take(std::move(request), std::move(done));
  }
  void shutdown_worker(wire::ShutdownWorkerRequest request, Done<wire::ShutdownWorkerResponse> done) override {
    shutdowns.take(std::move(request), std::move(done));
  }
  void shutdown() override {
    while (!workflow_polls.open.empty()) workflow_polls.answer(absl::CancelledError("shutdown"));
    while (!sticky_polls.open.empty()) sticky_polls.answer(absl::CancelledError("shutdown"));
    while (!activity_polls.open.empty()) activity_polls.answer(absl::CancelledError("shutdown"));
  }
};

}  // namespace skald::worker
