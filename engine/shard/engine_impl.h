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
  Quarantine* quarantine = nullptr;  // null: none
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
  // Makes durable what only memory knows, the starts of tasks and heartbeats, and then calls `done`: the last thing before the loops end. From
  // any thread.
  void settle(base::Task done);

  void start_workflow(Call call, wire::StartWorkflowExecutionRequest request, Done<wire::StartWorkflowExecutionResponse> done) override;
  void signal_with_start(Call call, wire::SignalWithStartWorkflowExecutionRequest request,
                         Done<wire::SignalWithStartWorkflowExecutionResponse> done) override;
  void signal_workflow(Call call, wire::SignalWorkflowExecutionRequest request, Done<wire::SignalWorkflowExecutionResponse> done) override;
  void request_cancel(Call call, wire::RequestCancelWorkflowExecutionRequest request,
                      Done<wire::RequestCancelWorkflowExecutionResponse> done) override;
  void terminate(Call call, wire::TerminateWorkflowExecutionRequest request, Done<wire::TerminateWorkflowExecutionResponse> done) override;
  void describe(Call call, wire::DescribeWorkflowExecutionRequest request, Done<wire::DescribeWorkflowExecutionResponse> done) override;
  void unpause(Call call, wire::UnpauseWorkflowExecutionRequest request, Done<wire::UnpauseWorkflowExecutionResponse> done) override;
  void query(Call call, wire::QueryWorkflowRequest request, Done<wire::QueryWorkflowResponse> done) override;
  void read_history(Call call, HistoryRequest request, Done<HistoryPage> done) override;
  void read_history_reverse(Call call, HistoryRequest request, Done<HistoryPage> done) override;
  void poll_workflow_task(Call call, wire::PollWorkflowTaskQueueRequest request, Done<WorkflowTask> done) override;
  void complete_workflow_task(Call call, wire::RespondWorkflowTaskCompletedRequest request,
                              Done<wire::RespondWorkflowTaskCompletedResponse> done) override;
  void fail_workflow_task(Call call, wire::RespondWorkflowTaskFailedRequest request, Done<wire::RespondWorkflowTaskFailedResponse> done) override;
  void answer_query(Call call, wire::RespondQueryTaskCompletedRequest request, Done<wire::RespondQueryTaskCompletedResponse> done) override;
  void reset_sticky(Call call, wire::ResetStickyTaskQueueRequest request, Done<wire::ResetStickyTaskQueueResponse> done) override;
  void shutdown_worker(Call call, wire::ShutdownWorkerRequest request, Done<wire::ShutdownWorkerResponse> done) override;
  void poll_activity_task(Call call, wire::PollActivityTaskQueueRequest request, Done<wire::PollActivityTaskQueueResponse> done) override;
  void complete_activity(Call call, wire::RespondActivityTaskCompletedRequest request,
                         Done<wire::RespondActivityTaskCompletedResponse> done) override;
  void complete_activity_by_id(Call call, wire::RespondActivityTaskCompletedByIdRequest request,
                               Done<wire::RespondActivityTaskCompletedByIdResponse> done) override;
  void fail_activity(Call call, wire::RespondActivityTaskFailedRequest request, Done<wire::RespondActivityTaskFailedResponse> done) override;
  void fail_activity_by_id(Call call, wire::RespondActivityTaskFailedByIdRequest request,
                           Done<wire::RespondActivityTaskFailedByIdResponse> done) override;
  void cancel_activity(Call call, wire::RespondActivityTaskCanceledRequest request,
                       Done<wire::RespondActivityTaskCanceledResponse> done) override;
  void cancel_activity_by_id(Call call, wire::RespondActivityTaskCanceledByIdRequest request,
                             Done<wire::RespondActivityTaskCanceledByIdResponse> done) override;
  void heartbeat(Call call, wire::RecordActivityTaskHeartbeatRequest request, Done<wire::RecordActivityTaskHeartbeatResponse> done) override;
  void heartbeat_by_id(Call call, wire::RecordActivityTaskHeartbeatByIdRequest request,
                       Done<wire::RecordActivityTaskHeartbeatByIdResponse> done) override;
  void describe_task_queue(Call call, wire::DescribeTaskQueueRequest request, Done<wire::DescribeTaskQueueResponse> done) override;
  void list(Call call, store::VisibilityQuery query, size_t page_size, std::string page_token,
            Done<wire::ListWorkflowExecutionsResponse> done) override;
  void count(Call call, store::VisibilityQuery query, Done<wire::CountWorkflowExecutionsResponse> done) override;
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

  // An open run of a workflow that took the process with it.
  bool is_quarantined(const store::WorkflowKey& key, int status) const;
  wire::DescribeWorkflowExecutionResponse described(const WorkflowEntry& entry, const CachedRun& run) const;

  // Messages between runs (outbox.cc).
  void deliver(const core::state::OutboxMessage& message);
  void deliver_start(const core::state::OutboxMessage& message);
  void start_child(const core::state::OutboxMessage& message, const store::WorkflowKey& key, const Settings& ns);
  void message_answered(const core::state::OutboxMessage& message, absl::Status status, std::string run_id);
  void deliver_again(const core::state::OutboxMessage& message);

  // Polls (tasks.cc).
  absl::Time poll_deadline(const Call& call) const;
  void poll_workflow(std::shared_ptr<Poll<wire::PollWorkflowTaskQueueRequest>> poll);
  void start_workflow_task(std::shared_ptr<Poll<wire::PollWorkflowTaskQueueRequest>> poll, matching::TaskRef task);
  void send_workflow_task(Owner& owner, CachedRun& run, core::WorkflowTaskStarted started, Done<WorkflowTask> done);
  void poll_activity(std::shared_ptr<Poll<wire::PollActivityTaskQueueRequest>> poll);

  // Who polls a queue, the embedded worker too (task_queues.cc).
  std::vector<matching::PollerInfo> pollers_of(const Call& call, const matching::QueueKey& queue) const;

  // History (history.cc).
  void history_page(Owner& owner, WorkflowEntry& entry, CachedRun& run, Call call, HistoryRequest request, core::state::HistoryToken token,
                    absl::Time deadline, Done<HistoryPage> done);

  EngineOptions options_;
  std::vector<std::unique_ptr<Owner>> owners_;
  uint64_t process_ = 1;  // this life
  std::atomic<bool> draining_ = false;
  std::vector<int> first_slots_;
  const EmbeddedWorker* embedded_ = nullptr;  // one of the loops': they all poll the same queues
};

}  // namespace skald::shard
