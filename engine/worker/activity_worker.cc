#include "engine/worker/activity_worker.h"

#include <chrono>
#include <utility>

#include <spdlog/spdlog.h>

#include "engine/base/text.h"

namespace skald::worker {

// Shared with every callback, so that one that comes after the worker's end finds it stopped, not gone.
struct ActivityWorker::State : std::enable_shared_from_this<State> {
  State(WorkerTransport& t, ActivityExecutor& e, ActivityWorkerOptions o)
      : transport(t), executor(e), options(std::move(o)) {}

  WorkerTransport& transport;
  ActivityExecutor& executor;
  const ActivityWorkerOptions options;
  std::mutex mutex;
  std::condition_variable idle;
  int polling = 0, running = 0;
  bool pumping = false, stopping = true;

  // Opens polls up to the limits. Not recursive: a transport may answer before its call returns.
  void pump() {
    std::unique_lock lock(mutex);
    if (pumping) return;
    pumping = true;
    while (!stopping && polling < options.polls && running + polling < options.max_running) {
      ++polling;
      lock.unlock();
      poll();
      lock.lock();
    }
    pumping = false;
  }

  void poll() {
    api::PollActivityTaskQueueRequest request;
    request.set_namespace_(options.namespace_name);
    request.mutable_task_queue()->set_name(options.task_queue);
    request.set_identity(options.identity);
    transport.poll_activity_task(std::move(request), [self = shared_from_this()](auto answer) {
      const bool task = answer.ok() && !answer->task_token().empty();
      {
        std::lock_guard lock(self->mutex);
        --self->polling;
        if (task) ++self->running;
        // A transport that fails at once must not be asked again in a tight loop: stop() or the next answer goes on.
        if (!answer.ok() && answer.status().code() == absl::StatusCode::kCancelled) self->stopping = true;
        self->idle.notify_all();
      }
      if (!answer.ok()) spdlog::debug("poll for activities failed: {}", base::text(answer.status()));
      if (task) self->run(*std::move(answer));
      self->pump();
    });
  }

  void run(api::PollActivityTaskQueueResponse task) {
    auto heartbeat = [self = shared_from_this(), token = task.task_token()](auto details,
                                                                            std::function<void()> cancel) {
      api::RecordActivityTaskHeartbeatRequest request;
      request.set_namespace_(self->options.namespace_name);
      request.set_task_token(token);
      *request.mutable_details() = std::move(details);
      self->transport.heartbeat(std::move(request), [cancel = std::move(cancel)](auto answer) {
        const bool gone = !answer.ok() && answer.status().code() == absl::StatusCode::kNotFound;
        if (gone || (answer.ok() && answer->cancel_requested())) cancel();
      });
    };
    executor.execute(task, std::move(heartbeat),
                     [self = shared_from_this(), token = task.task_token()](ActivityOutcome outcome) {
                       self->answer(token, std::move(outcome));
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

  void answer(const std::string& token, ActivityOutcome outcome) {
    auto ended = [self = shared_from_this()](const auto& reply) {
      if (!reply.ok()) spdlog::debug("an activity's answer was not taken: {}", base::text(reply.status()));
      {
        std::lock_guard lock(self->mutex);
        --self->running;
        self->idle.notify_all();
      }
      self->pump();
    };
    if (auto* result = std::get_if<temporal::api::common::v1::Payloads>(&outcome)) {
      auto request = request_for<api::RespondActivityTaskCompletedRequest>(token);
      *request.mutable_result() = std::move(*result);
      transport.complete_activity(std::move(request), ended);
    } else if (auto* failure = std::get_if<temporal::api::failure::v1::Failure>(&outcome)) {
      auto request = request_for<api::RespondActivityTaskFailedRequest>(token);
      *request.mutable_failure() = std::move(*failure);
      transport.fail_activity(std::move(request), ended);
    } else {
      transport.cancel_activity(request_for<api::RespondActivityTaskCanceledRequest>(token), ended);
    }
  }
};

ActivityWorker::ActivityWorker(WorkerTransport& transport, ActivityExecutor& executor, ActivityWorkerOptions options)
    : state_(std::make_shared<State>(transport, executor, std::move(options))) {}

ActivityWorker::~ActivityWorker() { stop(); }

void ActivityWorker::start() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = false;
  }
  state_->pump();
}

void ActivityWorker::stop() {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->idle.wait(lock, [this] { return state_->running == 0 && state_->polling == 0; });
}

}  // namespace skald::worker
