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

  Calls<api::PollWorkflowTaskQueueRequest, api::PollWorkflowTaskQueueResponse> workflow_polls, sticky_polls;
  Calls<api::RespondWorkflowTaskCompletedRequest, api::RespondWorkflowTaskCompletedResponse> workflow_completions;
  Calls<api::RespondWorkflowTaskFailedRequest, api::RespondWorkflowTaskFailedResponse> workflow_failures;
  Calls<api::RespondQueryTaskCompletedRequest, api::RespondQueryTaskCompletedResponse> query_answers;
  Calls<api::GetWorkflowExecutionHistoryRequest, api::GetWorkflowExecutionHistoryResponse> history_reads;
  Calls<api::PollActivityTaskQueueRequest, api::PollActivityTaskQueueResponse> activity_polls;
  Calls<api::RespondActivityTaskCompletedRequest, api::RespondActivityTaskCompletedResponse> completions;
  Calls<api::RespondActivityTaskFailedRequest, api::RespondActivityTaskFailedResponse> failures;
  Calls<api::RespondActivityTaskCanceledRequest, api::RespondActivityTaskCanceledResponse> cancellations;
  Calls<api::RecordActivityTaskHeartbeatRequest, api::RecordActivityTaskHeartbeatResponse> heartbeats;
  Calls<api::ShutdownWorkerRequest, api::ShutdownWorkerResponse> shutdowns;

  void poll_workflow_task(api::PollWorkflowTaskQueueRequest request,
                          Done<api::PollWorkflowTaskQueueResponse> done) override {
    const bool sticky = !request.task_queue().normal_name().empty();
    (sticky ? sticky_polls : workflow_polls).take(std::move(request), std::move(done));
  }
  void complete_workflow_task(api::RespondWorkflowTaskCompletedRequest request,
                              Done<api::RespondWorkflowTaskCompletedResponse> done) override {
    workflow_completions.take(std::move(request), std::move(done));
  }
  void fail_workflow_task(api::RespondWorkflowTaskFailedRequest request,
                          Done<api::RespondWorkflowTaskFailedResponse> done) override {
    workflow_failures.take(std::move(request), std::move(done));
  }
  void answer_query(api::RespondQueryTaskCompletedRequest request,
                    Done<api::RespondQueryTaskCompletedResponse> done) override {
    query_answers.take(std::move(request), std::move(done));
  }
  void read_history(api::GetWorkflowExecutionHistoryRequest request,
                    Done<api::GetWorkflowExecutionHistoryResponse> done) override {
    history_reads.take(std::move(request), std::move(done));
  }
  void poll_activity_task(api::PollActivityTaskQueueRequest request,
                          Done<api::PollActivityTaskQueueResponse> done) override {
    activity_polls.take(std::move(request), std::move(done));
  }
  void complete_activity(api::RespondActivityTaskCompletedRequest request,
                         Done<api::RespondActivityTaskCompletedResponse> done) override {
    completions.take(std::move(request), std::move(done));
  }
  void fail_activity(api::RespondActivityTaskFailedRequest request,
                     Done<api::RespondActivityTaskFailedResponse> done) override {
    failures.take(std::move(request), std::move(done));
  }
  void cancel_activity(api::RespondActivityTaskCanceledRequest request,
                       Done<api::RespondActivityTaskCanceledResponse> done) override {
    cancellations.take(std::move(request), std::move(done));
  }
  void heartbeat(api::RecordActivityTaskHeartbeatRequest request,
                 Done<api::RecordActivityTaskHeartbeatResponse> done) override {
    heartbeats.take(std::move(request), std::move(done));
  }
  void shutdown_worker(api::ShutdownWorkerRequest request, Done<api::ShutdownWorkerResponse> done) override {
    shutdowns.take(std::move(request), std::move(done));
  }
  void shutdown() override {
    while (!workflow_polls.open.empty()) workflow_polls.answer(absl::CancelledError("shutdown"));
    while (!sticky_polls.open.empty()) sticky_polls.answer(absl::CancelledError("shutdown"));
    while (!activity_polls.open.empty()) activity_polls.answer(absl::CancelledError("shutdown"));
  }
};

}  // namespace skald::worker
