#pragma once

#include <absl/functional/any_invocable.h>

#include <string>
#include <string_view>
#include <variant>

#include "temporal/api/workflowservice/v1/request_response.pb.h"

namespace skald::shard {

// As who embedded workers stand in history and among the pollers of a task queue.
inline constexpr char kEmbeddedIdentity[] = "skald-embedded";

// What a workflow worker answers to a task. The task token is left empty by the embedded worker: the owner knows the run.
using WorkflowTaskAnswer =
    std::variant<temporal::api::workflowservice::v1::RespondWorkflowTaskCompletedRequest,
                 temporal::api::workflowservice::v1::RespondWorkflowTaskFailedRequest,
                 temporal::api::workflowservice::v1::RespondQueryTaskCompletedRequest>;

// A workflow worker inside the server, called in the transition that woke a run, so that the events that woke it and the commands
// that follow are one commit. One instance an owner loop, called from that loop alone.
class EmbeddedWorker {
 public:
  virtual ~EmbeddedWorker() = default;

  enum class Verdict {
    kAnswered,      // `answer` is set
    kNeedsHistory,  // the run is not in this worker's cache: call again with the whole history in the task
    kLater,         // the script used up its slice: `later` will be called, once, from any thread; the run waits, its owner does not
  };

  // Whether this worker runs workflows of this type for this task queue. Cheap.
  virtual bool serves(std::string_view namespace_name, std::string_view task_queue, std::string_view workflow_type) const = 0;

  // Whether this worker runs workflows of some type for this task queue. Thread-safe.
  virtual bool polls(std::string_view namespace_name, std::string_view task_queue) const = 0;

  // Runs a workflow task, or a query-only task (task.query is set). `task` is what a remote worker would be given, without a token:
  // history holds all events when the run is new to the worker, else those after task.previous_started_event_id. Must neither block
  // nor throw: a script's failure is an answer (RespondWorkflowTaskFailedRequest, or a fail command).
  virtual Verdict activate(const temporal::api::workflowservice::v1::PollWorkflowTaskQueueResponse& task, WorkflowTaskAnswer& answer,
                           absl::AnyInvocable<void(WorkflowTaskAnswer)> later) = 0;

  // Drops what is cached of a run: it closed, or what it was told did not become durable.
  virtual void forget(std::string_view run_id) = 0;
};

}  // namespace skald::shard
