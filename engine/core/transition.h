#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/core/input.h"
#include "skald/state/v1/state.pb.h"
#include "temporal/api/history/v1/message.pb.h"

namespace skald::core {

// What an input did to one run, besides changing its state.
struct Effects {
  // To be appended to history, ids given, contiguous. Transient events are not here.
  std::vector<temporal::api::history::v1::HistoryEvent> events;
  // state.workflow_task was scheduled (or rescheduled, or moved to another queue): hand it to matching or the embedded worker.
  bool dispatch_workflow_task = false;
  // These activities (scheduled event ids) wait for a worker from now on.
  std::vector<int64_t> dispatch_activities;
  std::vector<state::OutboxMessage> outbox;
  // The answered messages whose rows can go, by id.
  std::vector<std::string> outbox_done;
  // Status, type, queue, memo, search attributes or close changed. (Every durable transition writes the run's row anyway.)
  bool visibility_changed = false;
  bool closed = false;
};

// A worker got a workflow task: all of the poll's answer but history, which the shard adds as bytes: events
// history_first..history_last, then transient_events.
struct WorkflowTaskStarted {
  wire::PollWorkflowTaskQueueResponse response;
  int64_t history_first = 1;
  int64_t history_last = 0;
  std::vector<temporal::api::history::v1::HistoryEvent> transient_events;
};

struct WorkflowTaskCompleted {
  wire::RespondWorkflowTaskCompletedResponse response;  // activity_tasks: the eager ones
  std::optional<WorkflowTaskStarted> next_task;        // return_new_workflow_task
};

struct ActivityStarted {
  wire::PollActivityTaskQueueResponse response;
};

struct ActivityHeartbeatRecorded {
  bool cancel_requested = false;
};

using Output = std::variant<std::monostate, WorkflowTaskStarted, WorkflowTaskCompleted, ActivityStarted, ActivityHeartbeatRecorded>;

// The run that follows in the same workflow id (continue-as-new, retry, cron, or a start). Committed with the run that it follows.
struct NewRun {
  state::RunState state;
  Effects effects;
};

// The result of apply(). The status is the caller's answer: with an error, state and effects are as they were, except for a bad
// workflow task completion, which fails the task in history and still answers with an error.
struct Transition {
  absl::Status status;
  Output output;
  Effects effects;
  std::optional<NewRun> successor;
  // Whether the state changed at all, and whether the change must be committed before the output leaves: the start of a task (with
  // unlimited attempts) and heartbeats may stay in memory until the next commit of the run.
  bool changed = false;
  bool durable = false;
};

// The result of start(). Exactly one of: an error; an existing run's id (same request id, USE_EXISTING); a new run, before which the
// current one may have been terminated.
struct StartResult {
  absl::Status status;  // ALREADY_EXISTS carries WorkflowExecutionAlreadyStartedFailure (run_id, start_request_id)
  std::string run_id;
  bool created = false;
  std::optional<NewRun> created_run;
  std::optional<Transition> current_changed;      // terminated, or signalled (signal-with-start on an open run)
  std::optional<WorkflowTaskStarted> eager_task;  // request_eager_execution
};

}  // namespace skald::core
