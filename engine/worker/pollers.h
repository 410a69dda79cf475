#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include "engine/base/random.h"
#include "engine/worker/timing.h"

namespace skald::worker {

// Keeps polls open on a worker's task queues as long as it has slots for the tasks they may bring. After a failed poll
// its queue is left alone for a while, longer each time (200 ms to 10 s, at random), and then asked with one poll until
// that is answered. No queue takes the last slot from another one that has no poll open. Thread-safe.
class Pollers {
 public:
  // How a poll ended: whether a task came, which then holds a slot until release(), or what went wrong. Called once, on
  // any thread, from within `open` too.
  using Ended = absl::AnyInvocable<void(absl::StatusOr<bool> task_came)>;
  struct Queue {
    int polls;  // open at a time
    std::function<void(Ended)> open;
  };
  // Hears how each poll ended, until stop(). Thread-safe; must not block.
  using Observer = std::function<void(const absl::Status&)>;

  Pollers(std::vector<Queue> queues, int slots, Timing timing, std::unique_ptr<base::Random> random, Observer observer);
  ~Pollers();  // stop()

  void start();
  // Opens no more polls. Those that are open end by themselves or by the transport's shutdown.
  void stop();
  // A task is done with: its slot is free.
  void release();
  // Whether, within `patience`, all polls have ended; wait_idle: and all slots are free.
  bool wait_polls(absl::Duration patience);
  bool wait_idle(absl::Duration patience);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace skald::worker
