#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/matching/matching.h"
#include "engine/shard/engine.h"
#include "engine/shard/owner.h"

namespace skald::shard {

struct EngineOptions {
  const base::Clock& clock;
  store::Store& store;
  matching::Matching& matching;
  NamespaceSource& namespaces;
  core::Limits limits;
  // Whether a search attribute's value is of this type (IndexedValueType).
  std::function<bool(const temporal::api::common::v1::Payload&, int type)> is_of_type;
  absl::Duration poll_timeout = absl::Seconds(60);
  absl::Duration history_wait = absl::Seconds(20);
  int history_page_events = 256;
};

// One owner loop: what it runs on and what it owns. The ranges of all loops cover the slots this process leased, in order.
struct OwnerLoop {
  base::Executor& executor;
  store::Lease lease;
  std::unique_ptr<base::Random> random;
  EmbeddedWorker* embedded = nullptr;
};

// The engine over its owners. Routes requests to the run's owner; makes polls out of matching and owners. The executors must have stopped
// before it is destroyed.
class EngineImpl final : public Engine {
 public:
  using DecodeAttributes = decltype(OwnerParts::decode_attributes);

  EngineImpl(EngineOptions options, OwnerLimits owner_limits, std::vector<OwnerLoop> loops, DecodeAttributes decode_attributes,
             std::function<void(const absl::Status&)> on_fatal);

  // Brings back what was under way. Once, before requests come.
  void start();
  // Answers those who wait for history, now and from now on, and those whose queries wait: the process is about to end. From any thread.
  void drain();

  void start_workflow(Call call, api::StartWorkflowExecutionRequest request, Done<api::StartWorkflowExecutionResponse> done) override;
  void signal_with_start(Call call, api::SignalWithStartWorkflowExecutionRequest request,
                         Done<api::SignalWithStartWorkflowExecutionResponse> done) override;
  void signal_workflow(Call call, api::SignalWorkflowExecutionRequest request, Done<api::SignalWorkflowExecutionResponse> done) override;
  void request_cancel(Call call, api::RequestCancelWorkflowExecutionRequest request,
                      Done<api::RequestCancelWorkflowExecutionResponse> done) override;
  void terminate(Call call, api::TerminateWorkflowExecutionRequest request, Done<api::TerminateWorkflowExecutionResponse> done) override;
  void describe(Call call, api::DescribeWorkflowExecutionRequest request, Done<api::DescribeWorkflowExecutionResponse> done) override;
  void query(Call call, api::QueryWorkflowRequest request, Done<api::QueryWorkflowResponse> done) override;
  void read_history(Call call, HistoryRequest request, Done<HistoryPage> done) override;
  void read_history_reverse(Call call, HistoryRequest request, Done<HistoryPage> done) override;
  void poll_workflow_task(Call call, api::PollWorkflowTaskQueueRequest request, Done<WorkflowTask> done) override;
  void complete_workflow_task(Call call, api::RespondWorkflowTaskCompletedRequest request,
                              Done<api::RespondWorkflowTaskCompletedResponse> done) override;
  void fail_workflow_task(Call call, api::RespondWorkflowTaskFailedRequest request, Done<api::RespondWorkflowTaskFailedResponse> done) override;
  void answer_query(Call call, api::RespondQueryTaskCompletedRequest request, Done<api::RespondQueryTaskCompletedResponse> done) override;
  void reset_sticky(Call call, api::ResetStickyTaskQueueRequest request, Done<api::ResetStickyTaskQueueResponse> done) override;
  void shutdown_worker(Call call, api::ShutdownWorkerRequest request, Done<api::ShutdownWorkerResponse> done) override;
  void poll_activity_task(Call call, api::PollActivityTaskQueueRequest request, Done<api::PollActivityTaskQueueResponse> done) override;
  void complete_activity(Call call, api::RespondActivityTaskCompletedRequest request,
                         Done<api::RespondActivityTaskCompletedResponse> done) override;
  void complete_activity_by_id(Call call, api::RespondActivityTaskCompletedByIdRequest request,
                               Done<api::RespondActivityTaskCompletedByIdResponse> done) override;
  void fail_activity(Call call, api::RespondActivityTaskFailedRequest request, Done<api::RespondActivityTaskFailedResponse> done) override;
  void fail_activity_by_id(Call call, api::RespondActivityTaskFailedByIdRequest request,
                           Done<api::RespondActivityTaskFailedByIdResponse> done) override;
  void cancel_activity(Call call, api::RespondActivityTaskCanceledRequest request,
                       Done<api::RespondActivityTaskCanceledResponse> done) override;
  void cancel_activity_by_id(Call call, api::RespondActivityTaskCanceledByIdRequest request,
                             Done<api::RespondActivityTaskCanceledByIdResponse> done) override;
  void heartbeat(Call call, api::RecordActivityTaskHeartbeatRequest request, Done<api::RecordActivityTaskHeartbeatResponse> done) override;
  void heartbeat_by_id(Call call, api::RecordActivityTaskHeartbeatByIdRequest request,
                       Done<api::RecordActivityTaskHeartbeatByIdResponse> done) override;
  void describe_task_queue(Call call, api::DescribeTaskQueueRequest request, Done<api::DescribeTaskQueueResponse> done) override;
  void list(Call call, store::VisibilityQuery query, size_t page_size, std::string page_token,
            Done<api::ListWorkflowExecutionsResponse> done) override;
  void count(Call call, store::VisibilityQuery query, Done<api::CountWorkflowExecutionsResponse> done) override;
  Statistics statistics() const override;

 private:
  template <typename Request>
  struct Poll;

  // Owners and routing.
  Owner& owner_of(const store::WorkflowKey& key);
  // Runs `operation` on a run that exists; NOT_FOUND goes to `done` otherwise.
  template <typename T, typename F>
  void on_run(store::WorkflowKey key, std::string run_id, Done<T> done, F operation);
  // Applies an input to a run and answers with what `respond` makes of the output.
  template <typename T, typename F>
  void apply(store::WorkflowKey key, std::string run_id, core::Input input, Done<T> done, F respond);
  template <typename T, typename F>
  void apply_to_task(const Call& call, const std::string& token, Done<T> done, F make_input);

  // Messages between runs (outbox.cc).
  void deliver(const core::state::OutboxMessage& message);
  void deliver_start(const core::state::OutboxMessage& message);
  void message_answered(const core::state::OutboxMessage& message, absl::Status status, std::string run_id);
  void deliver_again(const core::state::OutboxMessage& message);

  // Polls (tasks.cc).
  absl::Time poll_deadline(const Call& call) const;
  void poll_workflow(std::shared_ptr<Poll<api::PollWorkflowTaskQueueRequest>> poll);
  void start_workflow_task(std::shared_ptr<Poll<api::PollWorkflowTaskQueueRequest>> poll, matching::TaskRef task);
  void send_workflow_task(Owner& owner, CachedRun& run, core::WorkflowTaskStarted started, Done<WorkflowTask> done);
  void poll_activity(std::shared_ptr<Poll<api::PollActivityTaskQueueRequest>> poll);

  // Who polls a queue, the embedded worker too (task_queues.cc).
  std::vector<matching::PollerInfo> pollers_of(const Call& call, const matching::QueueKey& queue) const;

  // History (history.cc).
  void history_page(Owner& owner, WorkflowEntry& entry, CachedRun& run, Call call, HistoryRequest request, core::state::HistoryToken token,
                    absl::Time deadline, Done<HistoryPage> done);

  EngineOptions options_;
  std::vector<std::unique_ptr<Owner>> owners_;
  std::atomic<bool> draining_ = false;
  std::vector<int> first_slots_;
  const EmbeddedWorker* embedded_ = nullptr;  // one of the loops': they all poll the same queues
};

}  // namespace skald::shard
