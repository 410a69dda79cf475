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

namespace api = temporal::api::workflowservice::v1;

// Called exactly once, on any thread; must not block.
template <typename T>
using Done = absl::AnyInvocable<void(absl::StatusOr<T>)>;

using Settings = std::shared_ptr<const core::NamespaceSettings>;

// What a call knows besides its request: the namespace it names, until when the caller waits, and whether it is still there.
struct Call {
  Settings ns;
  absl::Time deadline = absl::InfiniteFuture();
  std::shared_ptr<base::Cancellation> cancellation;  // may be null
};

// A poll's answer, history apart: `history` is the wire form of temporal.api.history.v1.History.
struct WorkflowTask {
  api::PollWorkflowTaskQueueResponse head;
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

  virtual void start_workflow(Call call, api::StartWorkflowExecutionRequest request, Done<api::StartWorkflowExecutionResponse> done) = 0;
  virtual void signal_with_start(Call call, api::SignalWithStartWorkflowExecutionRequest request,
                                 Done<api::SignalWithStartWorkflowExecutionResponse> done) = 0;
  virtual void signal_workflow(Call call, api::SignalWorkflowExecutionRequest request, Done<api::SignalWorkflowExecutionResponse> done) = 0;
  virtual void request_cancel(Call call, api::RequestCancelWorkflowExecutionRequest request,
                              Done<api::RequestCancelWorkflowExecutionResponse> done) = 0;
  virtual void terminate(Call call, api::TerminateWorkflowExecutionRequest request, Done<api::TerminateWorkflowExecutionResponse> done) = 0;
  virtual void describe(Call call, api::DescribeWorkflowExecutionRequest request, Done<api::DescribeWorkflowExecutionResponse> done) = 0;
  virtual void query(Call call, api::QueryWorkflowRequest request, Done<api::QueryWorkflowResponse> done) = 0;

  virtual void read_history(Call call, HistoryRequest request, Done<HistoryPage> done) = 0;
  virtual void read_history_reverse(Call call, HistoryRequest request, Done<HistoryPage> done) = 0;

  // Long polls: an empty task token when nothing came before the deadline (60 s at most), the cancellation, or the worker's shutdown.
  virtual void poll_workflow_task(Call call, api::PollWorkflowTaskQueueRequest request, Done<WorkflowTask> done) = 0;
  virtual void complete_workflow_task(Call call, api::RespondWorkflowTaskCompletedRequest request,
                                      Done<api::RespondWorkflowTaskCompletedResponse> done) = 0;
  virtual void fail_workflow_task(Call call, api::RespondWorkflowTaskFailedRequest request,
                                  Done<api::RespondWorkflowTaskFailedResponse> done) = 0;
  virtual void answer_query(Call call, api::RespondQueryTaskCompletedRequest request, Done<api::RespondQueryTaskCompletedResponse> done) = 0;
  virtual void reset_sticky(Call call, api::ResetStickyTaskQueueRequest request, Done<api::ResetStickyTaskQueueResponse> done) = 0;
  // Ends the polls of this worker's sticky queue and identity.
  virtual void shutdown_worker(Call call, api::ShutdownWorkerRequest request, Done<api::ShutdownWorkerResponse> done) = 0;

  virtual void poll_activity_task(Call call, api::PollActivityTaskQueueRequest request, Done<api::PollActivityTaskQueueResponse> done) = 0;
  virtual void complete_activity(Call call, api::RespondActivityTaskCompletedRequest request,
                                 Done<api::RespondActivityTaskCompletedResponse> done) = 0;
  virtual void complete_activity_by_id(Call call, api::RespondActivityTaskCompletedByIdRequest request,
                                       Done<api::RespondActivityTaskCompletedByIdResponse> done) = 0;
  virtual void fail_activity(Call call, api::RespondActivityTaskFailedRequest request, Done<api::RespondActivityTaskFailedResponse> done) = 0;
  virtual void fail_activity_by_id(Call call, api::RespondActivityTaskFailedByIdRequest request,
                                   Done<api::RespondActivityTaskFailedByIdResponse> done) = 0;
  virtual void cancel_activity(Call call, api::RespondActivityTaskCanceledRequest request,
                               Done<api::RespondActivityTaskCanceledResponse> done) = 0;
  virtual void cancel_activity_by_id(Call call, api::RespondActivityTaskCanceledByIdRequest request,
                                     Done<api::RespondActivityTaskCanceledByIdResponse> done) = 0;
  virtual void heartbeat(Call call, api::RecordActivityTaskHeartbeatRequest request, Done<api::RecordActivityTaskHeartbeatResponse> done) = 0;
  virtual void heartbeat_by_id(Call call, api::RecordActivityTaskHeartbeatByIdRequest request,
                               Done<api::RecordActivityTaskHeartbeatByIdResponse> done) = 0;

  virtual void describe_task_queue(Call call, api::DescribeTaskQueueRequest request, Done<api::DescribeTaskQueueResponse> done) = 0;
  virtual void list(Call call, store::VisibilityQuery query, size_t page_size, std::string page_token,
                    Done<api::ListWorkflowExecutionsResponse> done) = 0;
  virtual void count(Call call, store::VisibilityQuery query, Done<api::CountWorkflowExecutionsResponse> done) = 0;

  virtual Statistics statistics() const = 0;
};

}  // namespace skald::shard
