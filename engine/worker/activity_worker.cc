#include "engine/worker/activity_worker.h"

#include <map>
#include <mutex>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <spdlog/spdlog.h>

#include "engine/base/text.h"
#include "engine/worker/gate.h"
#include "engine/worker/heartbeats.h"

namespace skald::worker {
namespace {

using temporal::api::failure::v1::Failure;

Failure worker_failure(const std::string& type, std::string message, bool non_retryable) {
  Failure failure;
  failure.set_message(std::move(message));
  failure.set_source("skald-worker");
  failure.mutable_application_failure_info()->set_type(type);
  failure.mutable_application_failure_info()->set_non_retryable(non_retryable);
  return failure;
}

}  // namespace

// Shared with every callback, so that one that comes after the worker's end finds it stopped, not gone.
struct ActivityWorker::State : std::enable_shared_from_this<State> {
  // One attempt that runs.
  struct Attempt {
    uint64_t id = 0;
    std::string token;
    std::shared_ptr<Heartbeats> heartbeats;
  };

  State(WorkerTransport& t, ActivityExecutor& e, Timing timing, ActivityWorkerOptions o)
      : transport(t), executor(e), timing(timing), options(std::move(o)) {}

  WorkerTransport& transport;
  ActivityExecutor& executor;
  const Timing timing;
  const ActivityWorkerOptions options;
  Gate gate;  // before the transport and the executor
  std::unique_ptr<Pollers> pollers;
  std::mutex mutex;
  uint64_t next_id = 1;
  std::map<uint64_t, std::string> running;  // what it is, for people
  bool stopping = true;

  void poll(Pollers::Ended ended) {
    wire::PollActivityTaskQueueRequest request;
    request.set_namespace_(options.namespace_name);
    request.mutable_task_queue()->set_name(options.task_queue);
    request.set_identity(options.identity);
    transport.poll_activity_task(std::move(request),
                                 [self = shared_from_this(), ended = std::move(ended)](auto answer) mutable {
                                   if (!answer.ok()) return ended(answer.status());
                                   const bool task = !answer->task_token().empty();
                                   ended(task);
                                   if (task) self->run(*std::move(answer));
                                 });
  }

  void run(wire::PollActivityTaskQueueResponse task) {
    auto attempt = std::make_shared<Attempt>();
    attempt->token = task.task_token();
    {
      const std::lock_guard lock(mutex);
      attempt->id = next_id++;
      running[attempt->id] = absl::StrCat(task.activity_type().name(), " of ", task.workflow_execution().workflow_id(),
                                          " (attempt ", task.attempt(), ")");
    }
    attempt->heartbeats = std::make_shared<Heartbeats>(
        [self = shared_from_this()](auto request, auto done) {
          self->gate.pass([&] { self->transport.heartbeat(std::move(request), std::move(done)); });
        },
        timing, request_for<wire::RecordActivityTaskHeartbeatRequest>(attempt->token), Heartbeats::interval(task));
    gate.pass([&] {
      executor.execute(
          task,
          [attempt](auto details, auto cancel) { attempt->heartbeats->record(std::move(details), std::move(cancel)); },
          [self = shared_from_this(), attempt](ActivityOutcome outcome) {
            self->gate.pass([&] { self->answer(*attempt, std::move(outcome)); });
          });
    });
  }

  template <typename Request>
  Request request_for(const std::string& token) const {
    Request request;
    request.set_namespace_(options.namespace_name);
    request.set_task_token(token);
    request.set_identity(options.identity);
    return request;
  }

  void answer(const Attempt& attempt, ActivityOutcome outcome) {
    auto unsent = attempt.heartbeats->close();
    const uint64_t id = attempt.id;
    if (auto* result = std::get_if<temporal::api::common::v1::Payloads>(&outcome)) {
      auto request = request_for<wire::RespondActivityTaskCompletedRequest>(attempt.token);
      *request.mutable_result() = std::move(*result);
      transport.complete_activity(std::move(request), [self = shared_from_this(), id,
                                                       token = attempt.token](auto reply) {
        if (!too_large(reply.status())) return self->ended(id, reply.status());
        self->fail(id, token,
                   worker_failure("ResultTooLarge", "the activity's result is larger than the server takes", true), {});
      });
    } else if (auto* failure = std::get_if<Failure>(&outcome)) {
      fail(id, attempt.token, std::move(*failure), std::move(unsent));
    } else if (attempt.heartbeats->cancel_requested()) {
      transport.cancel_activity(
          request_for<wire::RespondActivityTaskCanceledRequest>(attempt.token),
          [self = shared_from_this(), id](const auto& reply) { self->ended(id, reply.status()); });
    } else {
      // Paused, reset, or stopped of its own accord: a server takes a cancellation only if it has asked for one.
      fail(id, attempt.token, worker_failure("Stopped", "the attempt stopped before its end", false),
           std::move(unsent));
    }
  }

  void fail(uint64_t id, const std::string& token, Failure failure, std::optional<Heartbeats::Details> unsent) {
    auto request = request_for<wire::RespondActivityTaskFailedRequest>(token);
    *request.mutable_failure() = std::move(failure);
    if (unsent) *request.mutable_last_heartbeat_details() = *std::move(unsent);
    transport.fail_activity(std::move(request),
                            [self = shared_from_this(), id](const auto& reply) { self->ended(id, reply.status()); });
  }

  void ended(uint64_t id, const absl::Status& status) {
    std::string what;
    {
      const std::lock_guard lock(mutex);
      what = std::move(running[id]);
      running.erase(id);
    }
    if (absl::IsNotFound(status)) {
      spdlog::debug("the answer of {} came too late: {}", what, base::text(status));
    } else if (!status.ok()) {
      spdlog::warn("the answer of {} was not taken: {}", what, base::text(status));
    }
    gate.pass([&] { pollers->release(); });
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
    request.set_task_queue(options.task_queue);
    request.add_task_queue_types(temporal::api::enums::v1::TASK_QUEUE_TYPE_ACTIVITY);
    request.set_reason("the worker stops");
    transport.shutdown_worker(std::move(request), [](const auto&) {});
  }

  std::vector<std::string> unanswered() {
    const std::lock_guard lock(mutex);
    std::vector<std::string> names;
    for (const auto& [id, what] : running) names.push_back(what);
    return names;
  }
};

ActivityWorker::ActivityWorker(WorkerTransport& transport, ActivityExecutor& executor, Timing timing,
                               ActivityWorkerOptions options)
    : state_(std::make_shared<State>(transport, executor, timing, std::move(options))) {
  auto open = [weak = std::weak_ptr<State>(state_)](Pollers::Ended ended) {
    const auto state = weak.lock();
    if (state == nullptr || !state->gate.pass([&] { state->poll(std::move(ended)); })) {
      ended(absl::CancelledError("the worker has stopped"));
    }
  };
  state_->pollers = std::make_unique<Pollers>(
      std::vector<Pollers::Queue>{{.polls = state_->options.polls, .open = std::move(open)}},
      state_->options.max_running, timing, base::make_system_random(), state_->options.on_poll);
}

ActivityWorker::~ActivityWorker() { stop(); }

void ActivityWorker::start() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = false;
  }
  state_->pollers->start();
}

void ActivityWorker::begin_stop() { state_->begin_stop(); }

bool ActivityWorker::wait_polls(absl::Duration patience) { return state_->pollers->wait_polls(patience); }

std::vector<std::string> ActivityWorker::stop() {
  state_->begin_stop();
  if (state_->gate.closed()) return state_->unanswered();
  if (!state_->pollers->wait_idle(state_->options.grace)) {
    const std::vector<std::string> unanswered = state_->unanswered();
    if (!unanswered.empty()) {
      spdlog::warn("gave up waiting for activities that do not answer: {}", absl::StrJoin(unanswered, ", "));
    }
  }
  state_->gate.close();
  return state_->unanswered();
}

}  // namespace skald::worker
