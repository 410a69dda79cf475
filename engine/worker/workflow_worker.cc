#include "engine/worker/workflow_worker.h"

#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <spdlog/spdlog.h>

#include "engine/base/text.h"
#include "engine/worker/gate.h"
#include "engine/worker/history_reader.h"

namespace skald::worker {
namespace {

using namespace temporal::api::enums::v1;
using TaskPtr = std::shared_ptr<WorkflowTask>;

// Whether the run ends with these commands, so that no further task will come.
bool closes(const wire::RespondWorkflowTaskCompletedRequest& request) {
  if (request.commands().empty()) return false;
  switch (request.commands().rbegin()->command_type()) {
    case COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
    case COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION:
    case COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION:
    case COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION:
      return true;
    default:
      return false;
  }
}

WorkflowAnswer failed(const WorkflowTask& task, WorkflowTaskFailedCause cause, std::string message) {
  if (task.has_query()) {
    wire::RespondQueryTaskCompletedRequest request;
    request.set_completed_type(QUERY_RESULT_TYPE_FAILED);
    request.mutable_failure()->set_message(message);
    request.set_error_message(std::move(message));
    return request;
  }
  wire::RespondWorkflowTaskFailedRequest request;
  request.set_cause(cause);
  request.mutable_failure()->set_source("skald-worker");
  request.mutable_failure()->mutable_application_failure_info();
  request.mutable_failure()->set_message(std::move(message));
  return request;
}

}  // namespace

// Shared with every callback, so that one that comes after the worker's end finds it stopped, not gone.
struct WorkflowWorker::State : std::enable_shared_from_this<State> {
  State(WorkerTransport& t, WorkflowExecutor& e, WorkflowWorkerOptions o)
      : transport(t), executor(e), options(std::move(o)) {}

  WorkerTransport& transport;
  WorkflowExecutor& executor;
  const WorkflowWorkerOptions options;
  Gate gate;  // before the transport and the executor
  std::unique_ptr<Pollers> pollers;
  std::mutex mutex;
  struct Run {
    std::string workflow_id;
    std::deque<TaskPtr> waiting;
  };
  std::map<std::string, Run, std::less<>> in_hand;  // by run id: a task of it is under way
  bool stopping = true;

  void poll(bool sticky, Pollers::Ended ended) {
    wire::PollWorkflowTaskQueueRequest request;
    request.set_namespace_(options.namespace_name);
    request.set_identity(options.identity);
    auto& queue = *request.mutable_task_queue();
    queue.set_name(sticky ? options.sticky_queue : options.task_queue);
    queue.set_kind(sticky ? TASK_QUEUE_KIND_STICKY : TASK_QUEUE_KIND_NORMAL);
    if (sticky) queue.set_normal_name(options.task_queue);
    transport.poll_workflow_task(std::move(request),
                                 [self = shared_from_this(), ended = std::move(ended)](auto answer) mutable {
                                   if (!answer.ok()) return ended(answer.status());
                                   const bool task = !answer->task_token().empty();
                                   ended(task);
                                   if (task) self->receive(std::make_shared<WorkflowTask>(*std::move(answer)));
                                 });
  }

  // A run's tasks are worked on one at a time, until the server has taken the answer.
  void receive(TaskPtr task) {
    {
      const std::lock_guard lock(mutex);
      const auto [run, first] = in_hand.try_emplace(task->workflow_execution().run_id());
      if (!first) {
        run->second.waiting.push_back(std::move(task));
        return;
      }
      run->second.workflow_id = task->workflow_execution().workflow_id();
    }
    begin(std::move(task));
  }

  void begin(TaskPtr task) {
    read_remaining_history(history_source(), options.namespace_name, task,
                           [self = shared_from_this(), task](const absl::Status& status) {
                             if (!status.ok()) return self->without_history(task, status);
                             self->execute(task, false);
                           });
  }

  ReadHistory history_source() {
    return [self = shared_from_this()](auto request, auto done) {
      self->gate.pass([&] { self->transport.read_history(std::move(request), std::move(done)); });
    };
  }

  void execute(TaskPtr task, bool whole) {
    gate.pass([&] {
      executor.execute(task, [self = shared_from_this(), task, whole](std::optional<WorkflowAnswer> answer) {
        if (answer) return self->send(task, *std::move(answer));
        if (whole) return self->without_history(task, absl::InternalError("the run cannot be rebuilt from it"));
        read_whole_history(self->history_source(), self->options.namespace_name, task,
                           [self, task](const absl::Status& status) {
                             if (!status.ok()) return self->without_history(task, status);
                             self->execute(task, true);
                           });
      });
    });
  }

  void without_history(const TaskPtr& task, const absl::Status& status) {
    if (absl::IsNotFound(status)) return finish(*task, status);  // the run is gone
    send(task, failed(*task, WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
                      absl::StrCat("cannot read the run's history: ", status.message())));
  }

  void send(const TaskPtr& task, WorkflowAnswer answer) {
    gate.pass([&] { std::visit([&](auto& request) { send_request(task, std::move(request)); }, answer); });
  }

  template <typename Request>
  void sign(const WorkflowTask& task, Request& request) const {
    request.set_task_token(task.task_token());
    request.set_namespace_(options.namespace_name);
  }

  void send_request(const TaskPtr& task, wire::RespondWorkflowTaskCompletedRequest request) {
    sign(*task, request);
    request.set_identity(options.identity);
    request.set_return_new_workflow_task(!is_stopping());
    if (!options.sticky_queue.empty() && !closes(request) && !is_stopping()) {
      auto& sticky = *request.mutable_sticky_attributes();
      sticky.mutable_worker_task_queue()->set_name(options.sticky_queue);
      sticky.mutable_worker_task_queue()->set_kind(TASK_QUEUE_KIND_STICKY);
      sticky.mutable_worker_task_queue()->set_normal_name(options.task_queue);
      sticky.mutable_schedule_to_start_timeout()->set_seconds(absl::ToInt64Seconds(options.sticky_timeout));
    }
    transport.complete_workflow_task(std::move(request), [self = shared_from_this(), task](auto reply) {
      if (too_large(reply.status())) {
        return self->send(
            task, failed(*task, WORKFLOW_TASK_FAILED_CAUSE_GRPC_MESSAGE_TOO_LARGE,
                         absl::StrCat("the answer is larger than the server takes: ", reply.status().message())));
      }
      const bool rewound = reply.ok() && reply->reset_history_event_id() > 0;
      if (!reply.ok() || rewound) self->gate.pass([&] { self->executor.forget(run_id(*task)); });
      TaskPtr next;
      if (reply.ok() && !reply->workflow_task().task_token().empty()) {
        next = std::make_shared<WorkflowTask>(std::move(*reply->mutable_workflow_task()));
      }
      self->finish(*task, reply.status(), std::move(next));
    });
  }

  void send_request(const TaskPtr& task, wire::RespondWorkflowTaskFailedRequest request) {
    executor.forget(run_id(*task));
    spdlog::warn("a task of workflow {} failed (attempt {}): {}", task->workflow_execution().workflow_id(),
                 task->attempt(), request.failure().message());
    // Only the first attempt's failure is told. Later ones are left to time out, so that the server's growing timeout
    // spaces the attempts out; else a run that cannot go on would keep the worker spinning.
    if (task->attempt() > 1) return finish(*task, absl::OkStatus());
    sign(*task, request);
    request.set_identity(options.identity);
    transport.fail_workflow_task(std::move(request), [self = shared_from_this(), task](const auto& reply) {
      self->finish(*task, reply.status());
    });
  }

  void send_request(const TaskPtr& task, wire::RespondQueryTaskCompletedRequest request) {
    sign(*task, request);
    transport.answer_query(std::move(request), [self = shared_from_this(), task](const auto& reply) {
      self->finish(*task, reply.status());
    });
  }

  static const std::string& run_id(const WorkflowTask& task) { return task.workflow_execution().run_id(); }

  // The task is done with. `next`, if any, came with the server's reply and takes over its slot.
  void finish(const WorkflowTask& task, const absl::Status& status, TaskPtr next = nullptr) {
    if (absl::IsNotFound(status)) {
      spdlog::debug("the answer to workflow {} came too late: {}", task.workflow_execution().workflow_id(),
                    base::text(status));
    } else if (!status.ok()) {
      spdlog::warn("the answer to workflow {} was not taken: {}", task.workflow_execution().workflow_id(),
                   base::text(status));
    }
    const bool release = next == nullptr;
    {
      const std::lock_guard lock(mutex);
      const auto run = in_hand.find(run_id(task));
      if (next == nullptr && !run->second.waiting.empty()) {
        next = std::move(run->second.waiting.front());
        run->second.waiting.pop_front();
      } else if (next == nullptr) {
        in_hand.erase(run);
      }
    }
    if (release) gate.pass([&] { pollers->release(); });
    if (next != nullptr) begin(std::move(next));
  }

  bool is_stopping() {
    const std::lock_guard lock(mutex);
    return stopping;
  }

  void begin_stop() {
    {
      const std::lock_guard lock(mutex);
      if (std::exchange(stopping, true)) return;
    }
    pollers->stop();
    wire::ShutdownWorkerRequest request;
    request.set_namespace_(options.namespace_name);
    request.set_identity(options.identity);
    request.set_sticky_task_queue(options.sticky_queue);
    request.set_task_queue(options.task_queue);
    request.add_task_queue_types(TASK_QUEUE_TYPE_WORKFLOW);
    request.set_reason("the worker stops");
    transport.shutdown_worker(std::move(request), [](const auto&) {});
  }

  std::vector<std::string> unanswered() {
    const std::lock_guard lock(mutex);
    std::vector<std::string> ids;
    for (const auto& [id, run] : in_hand) ids.push_back(run.workflow_id);
    return ids;
  }
};

WorkflowWorker::WorkflowWorker(WorkerTransport& transport, WorkflowExecutor& executor, Timing timing,
                               WorkflowWorkerOptions options)
    : state_(std::make_shared<State>(transport, executor, std::move(options))) {
  auto open = [weak = std::weak_ptr<State>(state_)](bool sticky) {
    return [weak, sticky](Pollers::Ended ended) {
      const auto state = weak.lock();
      if (state == nullptr || !state->gate.pass([&] { state->poll(sticky, std::move(ended)); })) {
        ended(absl::CancelledError("the worker has stopped"));
      }
    };
  };
  std::vector<Pollers::Queue> queues{{.polls = state_->options.polls, .open = open(false)}};
  if (!state_->options.sticky_queue.empty()) {
    queues.push_back({.polls = state_->options.sticky_polls, .open = open(true)});
  }
  state_->pollers = std::make_unique<Pollers>(std::move(queues), state_->options.max_running, timing,
                                              base::make_system_random(), state_->options.on_poll);
}

WorkflowWorker::~WorkflowWorker() { stop(); }

void WorkflowWorker::start() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = false;
  }
  state_->pollers->start();
}

void WorkflowWorker::begin_stop() { state_->begin_stop(); }

bool WorkflowWorker::wait_polls(absl::Duration patience) { return state_->pollers->wait_polls(patience); }

std::vector<std::string> WorkflowWorker::stop() {
  state_->begin_stop();
  if (state_->gate.closed()) return state_->unanswered();
  if (!state_->pollers->wait_idle(state_->options.grace)) {
    const std::vector<std::string> unanswered = state_->unanswered();
    if (!unanswered.empty()) {
      spdlog::warn("gave up waiting for tasks of the workflows {}", absl::StrJoin(unanswered, ", "));
    }
  }
  state_->gate.close();
  return state_->unanswered();
}

}  // namespace skald::worker
