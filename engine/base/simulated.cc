#include "engine/base/simulated.h"

#include <algorithm>

namespace skald::base {

class SimulatedWorld::WorldClock final : public Clock {
 public:
  explicit WorldClock(const absl::Time& now) : now_(now) {}
  absl::Time now() const override { return now_; }

 private:
  const absl::Time& now_;
};

class SimulatedWorld::WorldExecutor final : public Executor {
 public:
  explicit WorldExecutor(SimulatedWorld& world) : world_(world) {}
  ~WorldExecutor() override { world_.drop(*this); }
  void post(Task task) override { world_.schedule(world_.now_, this, std::move(task)); }
  void post_at(absl::Time when, Task task) override { world_.schedule(when, this, std::move(task)); }

 private:
  SimulatedWorld& world_;
};

SimulatedWorld::SimulatedWorld(absl::Time start) : now_(start), clock_(std::make_unique<WorldClock>(now_)) {}
SimulatedWorld::~SimulatedWorld() = default;

const Clock& SimulatedWorld::clock() const { return *clock_; }

std::unique_ptr<Executor> SimulatedWorld::make_executor() { return std::make_unique<WorldExecutor>(*this); }

void SimulatedWorld::drop(const Executor& executor) {
  // Tasks are moved out first: their captures may post or drop while they are destroyed.
  std::vector<Task> dropped;
  for (auto entry = queue_.begin(); entry != queue_.end();) {
    if (entry->second.owner != &executor) {
      ++entry;
      continue;
    }
    dropped.push_back(std::move(entry->second.task));
    entry = queue_.erase(entry);
  }
}

void SimulatedWorld::schedule(absl::Time when, const Executor* owner, Task task) {
  queue_.emplace(Key{std::max(when, now_), sequence_++}, Entry{owner, std::move(task)});
}

bool SimulatedWorld::step() {
  if (queue_.empty()) return false;
  auto node = queue_.extract(queue_.begin());
  now_ = std::max(now_, node.key().first);
  node.mapped().task();
  return true;
}

void SimulatedWorld::run_for(absl::Duration duration) {
  const absl::Time until = now_ + duration;
  while (!queue_.empty() && queue_.begin()->first.first <= until) step();
  now_ = until;
}

void SimulatedWorld::run_ready() {
  while (!queue_.empty() && queue_.begin()->first.first <= now_) step();
}

}  // namespace skald::base
