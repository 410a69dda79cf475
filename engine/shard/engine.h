#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/base/cancellation.h"
#include "engine/core/core.h"
#include "engine/store/store.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"

namespace skald::shard {

namespace wire = temporal::api::workflowservice::v1;

// Called exactly once, on any thread; must not block.
template <typename T>
using Done = absl::AnyInvocable<void(absl::StatusOr<T>)>;

using Settings = std::shared_ptr<const core::NamespaceSettings>;

// What a call knows besides its request: the namespace it names, until when the caller waits, and whether it is still there.
struct Call {
  Settings ns;
  absl::Time deadline = absl::InfiniteFuture();
  std::shared_ptr<base::Cancellation> cancellation;  // may be null
  bool of_this_process = false;                      // a worker within this process, which ends with it
};

// A poll's answer, history apart: `history` is the wire form of temporal.api.history.v1.History.
struct WorkflowTask {
  wire::PollWorkflowTaskQueueResponse head;
  std::string history;
};

struct HistoryRequest {
  std::string workflow_id;
  std::string run_id;           // empty = current run
  int page_size = 0;            // 0 = the limit's default
  std::string next_page_token;  // of an earlier answer
  bool wait_new_event = false;
  bool close_event_only = false;
};

struct HistoryPage {
  std::string history;  // the wire form of temporal.api.history.v1.History
  std::string next_page_token;
};

// What the engine wrote since it started.
struct Statistics {
  uint64_t commits = 0;   // batches handed to the store
  uint64_t run_rows = 0;  // runs in them: each is one transition, or several at once
  uint64_t rows = 0;      // rows of all tables
  uint64_t bytes = 0;     // of state, history and messages
};

// The engine as the API sees it. Every method returns at once; requests have passed the API room's checks of form. What a method
// answers is durable before `done` is called. Errors are canonical statuses with Temporal's texts; their details are status payloads
// (see engine/core/error.h). Thread-safe.
class Engine {
 public:
  virtual ~Engine() = default;

  virtual void start_workflow(Call call, wire::StartWorkflowExecutionRequest request, Done<wire::StartWorkflowExecutionResponse> done) = 0;
  virtual void signal_with_start(Call call, wire::SignalWithStartWorkflowExecutionRequest request,
                                 Done<wire::SignalWithStartWorkflowExecutionResponse> done) = 0;
  virtual void signal_workflow(Call call, wire::SignalWorkflowExecutionRequest request, Done<wire::SignalWorkflowExecutionResponse> done) = 0;
  virtual void request_cancel(Call call, wire::RequestCancelWorkflowExecutionRequest request,
                              Done<wire::RequestCancelWorkflowExecutionResponse> done) = 0;
  virtual void terminate(Call call, wire::TerminateWorkflowExecutionRequest request, Done<wire::TerminateWorkflowExecutionResponse> done) = 0;
  virtual void describe(Call call, wire::DescribeWorkflowExecutionRequest request, Done<wire::DescribeWorkflowExecutionResponse> done) = 0;
  // Tries a workflow that is in quarantine again.
  virtual void unpause(Call call, wire::UnpauseWorkflowExecutionRequest request, Done<wire::UnpauseWorkflowExecutionResponse> done) = 0;
  virtual void query(Call call, wire::QueryWorkflowRequest request, Done<wire::QueryWorkflowResponse> done) = 0;

  virtual void read_history(Call call, HistoryRequest request, Done<HistoryPage> done) = 0;
  virtual void read_history_reverse(Call call, HistoryRequest request, Done<HistoryPage> done) = 0;

  // Long polls: an empty task token when nothing came before the deadline (60 s at most), the cancellation, or the worker's shutdown.
  virtual void poll_workflow_task(Call call, wire::PollWorkflowTaskQueueRequest request, Done<WorkflowTask> done) = 0;
  virtual void complete_workflow_task(Call call, wire::RespondWorkflowTaskCompletedRequest request,
                                      Done<wire::RespondWorkflowTaskCompletedResponse> done) = 0;
  virtual void fail_workflow_task(Call call, wire::RespondWorkflowTaskFailedRequest request,
                                  Done<wire::RespondWorkflowTaskFailedResponse> done) = 0;
  virtual void answer_query(Call call, wire::RespondQueryTaskCompletedRequest request, Done<wire::RespondQueryTaskCompletedResponse> done) = 0;
  virtual void reset_sticky(Call call, wire::ResetStickyTaskQueueRequest request, Done<wire::ResetStickyTaskQueueResponse> done) = 0;
  // Ends the polls of this worker's sticky queue and identity.
  virtual void shutdown_worker(Call call, wire::ShutdownWorkerRequest request, Done<wire::ShutdownWorkerResponse> done) = 0;

  virtual void poll_activity_task(Call call, wire::PollActivityTaskQueueRequest request, Done<wire::PollActivityTaskQueueResponse> done) = 0;
  virtual void complete_activity(Call call, wire::RespondActivityTaskCompletedRequest request,
                                 Done<wire::RespondActivityTaskCompletedResponse> done) = 0;
  virtual void complete_activity_by_id(Call call, wire::RespondActivityTaskCompletedByIdRequest request,
                                       Done<wire::RespondActivityTaskCompletedByIdResponse> done) = 0;
  virtual void fail_activity(Call call, wire::RespondActivityTaskFailedRequest request, Done<wire::RespondActivityTaskFailedResponse> done) = 0;
  virtual void fail_activity_by_id(Call call, wire::RespondActivityTaskFailedByIdRequest request,
                                   Done<wire::RespondActivityTaskFailedByIdResponse> done) = 0;
  virtual void cancel_activity(Call call, wire::RespondActivityTaskCanceledRequest request,
                               Done<wire::RespondActivityTaskCanceledResponse> done) = 0;
  virtual void cancel_activity_by_id(Call call, wire::RespondActivityTaskCanceledByIdRequest request,
                                     Done<wire::RespondActivityTaskCanceledByIdResponse> done) = 0;
  virtual void heartbeat(Call call, wire::RecordActivityTaskHeartbeatRequest request, Done<wire::RecordActivityTaskHeartbeatResponse> done) = 0;
  virtual void heartbeat_by_id(Call call, wire::RecordActivityTaskHeartbeatByIdRequest request,
                               Done<wire::RecordActivityTaskHeartbeatByIdResponse> done) = 0;

  virtual void describe_task_queue(Call call, wire::DescribeTaskQueueRequest request, Done<wire::DescribeTaskQueueResponse> done) = 0;
  virtual void list(Call call, store::VisibilityQuery query, size_t page_size, std::string page_token,
                    Done<wire::ListWorkflowExecutionsResponse> done) = 0;
  virtual void count(Call call, store::VisibilityQuery query, Done<wire::CountWorkflowExecutionsResponse> done) = 0;

  virtual Statistics statistics() const = 0;
};

}  // namespace skald::shard
