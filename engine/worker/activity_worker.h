#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "temporal/api/failure/v1/message.pb.h"

#include "engine/worker/pollers.h"
#include "engine/worker/transport.h"

namespace skald::worker {

struct ActivityCancelled {};
using ActivityOutcome =
    std::variant<temporal::api::common::v1::Payloads, temporal::api::failure::v1::Failure, ActivityCancelled>;

// What runs activities. execute() must not block; `done` is called exactly once, on any thread.
class ActivityExecutor {
 public:
  virtual ~ActivityExecutor() = default;
  // Tells the server that the attempt lives, as often as the activity likes: the worker sends what is needed. `cancel`
  // is called when the attempt is to stop; details that follow replace it.
  using Heartbeat = std::function<void(temporal::api::common::v1::Payloads details, std::function<void()> cancel)>;
  virtual void execute(const wire::PollActivityTaskQueueResponse& task, Heartbeat heartbeat,
                       std::function<void(ActivityOutcome)> done) = 0;
};

struct ActivityWorkerOptions {
  std::string namespace_name = "default";
  std::string task_queue;
  std::string identity;
  int polls = 4;                             // outstanding at a time
  int max_running = 2000;                    // activities at a time; polling pauses above
  absl::Duration grace = absl::Seconds(10);  // how long stop() waits for activities that run
  Pollers::Observer on_poll;                 // hears how each poll ended; may be empty
};

// Polls one task queue and runs what comes. Thread-safe. The transport, the executor and the timing must outlive it.
class ActivityWorker {
 public:
  ActivityWorker(WorkerTransport& transport, ActivityExecutor& executor, Timing timing, ActivityWorkerOptions options);
  ~ActivityWorker();  // stop()

  void start();
  // Takes no more tasks, and tells the server so. Does not wait.
  void begin_stop();
  // Waits until open polls have ended, for up to `patience`.
  bool wait_polls(absl::Duration patience);
  // begin_stop, then waits until the activities that run have been answered and open polls have ended (by themselves or
  // by the transport's shutdown: call that first when it must be quick), but no longer than the grace time. Says in the
  // log which activities have not answered by then, and returns them; what they answer later is dropped, and the server
  // gives them to another worker when they time out.
  std::vector<std::string> stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace skald::worker
