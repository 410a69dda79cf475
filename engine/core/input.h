#pragma once

#include <absl/status/status.h>

#include <optional>
#include <string>
#include <variant>

#include "skald/state/v1/state.pb.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"

// What can happen to a run. Requests are Temporal's own messages; the API room has checked their form (required fields, lengths,
// enums), the core checks them against the run.
namespace skald::core {

namespace wire = temporal::api::workflowservice::v1;
namespace state = skald::state::v1;

struct SignalWorkflow {
  wire::SignalWorkflowExecutionRequest request;
};

struct RequestCancelWorkflow {
  wire::RequestCancelWorkflowExecutionRequest request;
};

struct TerminateWorkflow {
  wire::TerminateWorkflowExecutionRequest request;
};

// A worker takes the scheduled workflow task. NOT_FOUND if that task is gone or taken (matching drops it then).
struct StartWorkflowTask {
  int64_t scheduled_event_id = 0;
  int32_t attempt = 0;
  std::string task_queue;  // the queue that was polled: sticky or normal
  std::string identity;
  std::string request_id;  // of the poll
  uint64_t process = 0;    // the life of the process whose own worker it is; 0: a worker that outlives it
};

struct CompleteWorkflowTask {
  state::TaskToken token;
  wire::RespondWorkflowTaskCompletedRequest request;
};

struct FailWorkflowTask {
  state::TaskToken token;
  wire::RespondWorkflowTaskFailedRequest request;
};

struct ResetSticky {};

struct StartActivity {
  int64_t scheduled_event_id = 0;
  int32_t attempt = 0;
  std::string identity;
  std::string request_id;
  uint64_t process = 0;  // as of a workflow task
};

// The run was read by this life of the process. What a worker within an earlier one had begun has ended with it, and waits for a worker
// again. An activity whose attempts are limited counts as begun.
struct ForgetStarts {
  uint64_t process = 0;
};

// The four ends and the heartbeat of an activity. A token without scheduled_event_id names the activity by activity_id (the ById
// calls). NOT_FOUND if there is no such activity or attempt any more.
struct CompleteActivity {
  state::TaskToken token;
  std::optional<temporal::api::common::v1::Payloads> result;
  std::string identity;
};
struct FailActivity {
  state::TaskToken token;
  temporal::api::failure::v1::Failure failure;
  std::optional<temporal::api::common::v1::Payloads> heartbeat_details;
  std::string identity;
};
struct CancelActivity {
  state::TaskToken token;
  std::optional<temporal::api::common::v1::Payloads> details;
  std::string identity;
};
struct HeartbeatActivity {
  state::TaskToken token;
  std::optional<temporal::api::common::v1::Payloads> details;
  std::string identity;
};

// Time has passed: fires all that is due (timers, timeouts, retries, backoff). Does nothing if nothing is.
struct Tick {};

// A message of another run arrives (all but StartChild, which start() takes). Applied at most once by its id.
struct ReceiveMessage {
  state::OutboxMessage message;
};

// How a message that this run sent came out. `status` OK, or why not (NOT_FOUND, ALREADY_EXISTS, ...). For StartChild, run_id is the
// child's run. Does nothing if the answer was applied before.
struct MessageAnswered {
  state::OutboxMessage message;
  absl::Status status;
  std::string run_id;
};

using Input = std::variant<SignalWorkflow, RequestCancelWorkflow, TerminateWorkflow, StartWorkflowTask, CompleteWorkflowTask,
                           FailWorkflowTask, ResetSticky, StartActivity, CompleteActivity, FailActivity, CancelActivity,
                           HeartbeatActivity, Tick, ReceiveMessage, MessageAnswered, ForgetStarts>;

// A run is to be created, by a client, by a parent (parent is set), or by its predecessor.
struct StartRequest {
  wire::StartWorkflowExecutionRequest request;  // defaults filled in; workflow_id_reuse/conflict policies as the caller gave them
  std::optional<wire::SignalWithStartWorkflowExecutionRequest> signal;  // signal-with-start: where the signal comes from
  std::optional<state::ParentInfo> parent;
  std::optional<temporal::api::common::v1::WorkflowExecution> root;
};

}  // namespace skald::core
