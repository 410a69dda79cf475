#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <variant>

#include "temporal/api/failure/v1/message.pb.h"

#include "engine/worker/transport.h"

namespace skald::worker {

struct ActivityCancelled {};
using ActivityOutcome =
    std::variant<temporal::api::common::v1::Payloads, temporal::api::failure::v1::Failure, ActivityCancelled>;

// What runs activities. execute() must not block; `done` is called exactly once, on any thread.
class ActivityExecutor {
 public:
  virtual ~ActivityExecutor() = default;
  // Tells the server that the attempt lives; `cancel` is called when the server asks it to stop.
  using Heartbeat = std::function<void(temporal::api::common::v1::Payloads details, std::function<void()> cancel)>;
  virtual void execute(const api::PollActivityTaskQueueResponse& task, Heartbeat heartbeat,
                       std::function<void(ActivityOutcome)> done) = 0;
};

struct ActivityWorkerOptions {
  std::string namespace_name = "default";
  std::string task_queue;
  std::string identity;
  int polls = 4;           // outstanding at a time
  int max_running = 2000;  // activities at a time; polling pauses above
};

// Polls one task queue and runs what comes. Thread-safe. The transport and the executor must outlive it.
class ActivityWorker {
 public:
  ActivityWorker(WorkerTransport& transport, ActivityExecutor& executor, ActivityWorkerOptions options);
  ~ActivityWorker();  // stop()

  void start();
  // Takes no more tasks, and waits until those that run have been answered. Open polls end by themselves or by the
  // transport's shutdown: call that first when it must be quick.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace skald::worker
