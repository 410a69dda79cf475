#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/executor.h"

namespace skald::base {

// Virtual time and any number of executors in one thread: tests and simulation run the engine on it. Time stands still while
// tasks run and jumps to the next timed task when none is ready. Not thread-safe.
class SimulatedWorld {
 public:
  explicit SimulatedWorld(absl::Time start = absl::FromUnixSeconds(1'700'000'000));
  ~SimulatedWorld();

  const Clock& clock() const;
  // Executors share one queue, so that the order of all tasks follows from the order of the posts. They must not outlive the
  // world. drop() forgets the tasks an executor still holds: what happens to a process that is killed.
  std::unique_ptr<Executor> make_executor();
  void drop(const Executor& executor);

  // Runs the next task, moving time forward if it has to. False if there is none.
  bool step();
  // Runs until nothing is ready and the next timed task lies after now + duration; then sets the time there.
  void run_for(absl::Duration duration);
  // Runs all that is ready, without moving time.
  void run_ready();

 private:
  class WorldClock;
  class WorldExecutor;
  using Key = std::pair<absl::Time, uint64_t>;
  struct Entry {
    const Executor* owner;
    Task task;
  };

  void schedule(absl::Time when, const Executor* owner, Task task);

  absl::Time now_;
  uint64_t sequence_ = 0;
  std::unique_ptr<WorldClock> clock_;
  std::map<Key, Entry> queue_;
};

}  // namespace skald::base
