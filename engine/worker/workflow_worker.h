#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/worker/pollers.h"
#include "engine/worker/transport.h"

namespace skald::worker {

using WorkflowTask = wire::PollWorkflowTaskQueueResponse;
using WorkflowAnswer = std::variant<wire::RespondWorkflowTaskCompletedRequest, wire::RespondWorkflowTaskFailedRequest,
                                    wire::RespondQueryTaskCompletedRequest>;

// What runs workflows, and may keep their state from one task to the next. Thread-safe.
class WorkflowExecutor {
 public:
  virtual ~WorkflowExecutor() = default;
  // Nothing: the executor does not know the run; call again with the whole history in the task.
  using Executed = absl::AnyInvocable<void(std::optional<WorkflowAnswer>)>;
  // Runs a workflow task, or a query-only task (task.query is set). Must not block; `executed` is called exactly once,
  // on any thread. The answer carries neither token nor namespace nor identity. A run's tasks come one at a time.
  virtual void execute(std::shared_ptr<const WorkflowTask> task, Executed executed) = 0;
  // Drops what is kept of a run: its latest answer does not count.
  virtual void forget(std::string_view run_id) = 0;
};

struct WorkflowWorkerOptions {
  std::string namespace_name = "default";
  std::string task_queue;
  std::string sticky_queue;  // of this worker alone; empty: every task brings the whole history
  std::string identity;
  int polls = 2;         // outstanding at a time, on the task queue
  int sticky_polls = 2;  // and on the sticky queue
  int max_running = 100;
  absl::Duration sticky_timeout = absl::Seconds(10);  // then the server offers a task to other workers
  absl::Duration grace = absl::Seconds(10);           // how long stop() waits for tasks that run
  Pollers::Observer on_poll;                          // hears how each poll ended; may be empty
};

// Polls one task queue and its own sticky queue for workflow tasks, has them run, and answers. Thread-safe. The
// transport, the executor and the timing must outlive it.
class WorkflowWorker {
 public:
  WorkflowWorker(WorkerTransport& transport, WorkflowExecutor& executor, Timing timing, WorkflowWorkerOptions options);
  ~WorkflowWorker();  // stop()

  void start();
  // As of ActivityWorker. stop() returns the workflow ids of tasks that have not been answered.
  void begin_stop();
  bool wait_polls(absl::Duration patience);
  std::vector<std::string> stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace skald::worker
