#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include <absl/time/time.h>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/shard/cached_run.h"

namespace skald::shard {

// When which run is due by itself: those in memory, and those that sleep in the store and are due before the horizon, up
// to which the store was looked through. One timed task at a time, for the earliest.
class WakeIndex {
 public:
  // `due` is told each run whose time has come, and that it is not in the index any more.
  WakeIndex(const base::Clock& clock, base::Executor& executor, std::function<void(const store::RunKey&)> due);

  // A run in memory is due then, InfiniteFuture() = never.
  void set(CachedRun& run, absl::Time wake);
  // The run in memory is not due any more.
  void erase(CachedRun& run);
  // The run leaves memory for the store: if it is due before the horizon it is remembered.
  void leave(CachedRun& run);

  // A run that is not in memory is due then.
  void add_sleeping(absl::Time wake, store::RunKey key);
  void set_horizon(absl::Time horizon) { horizon_ = horizon; }

 private:
  void arm();
  void on_wake();

  const base::Clock& clock_;
  base::Executor& executor_;
  std::function<void(const store::RunKey&)> due_;
  std::map<std::pair<absl::Time, uint64_t>, CachedRun*> wakes_;  // by wake time and serial
  std::set<std::pair<absl::Time, store::RunKey>> sleeping_;
  absl::Time armed_ = absl::InfiniteFuture();
  absl::Time horizon_ = absl::InfinitePast();
};

}  // namespace skald::shard
