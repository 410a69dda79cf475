#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/shard/cached_run.h"
#include "engine/store/store.h"

namespace skald::shard {

// Reads the history of runs, from their tail in memory and the store before it, and wakes those who wait for more of it.
class HistoryReader {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;

  HistoryReader(const base::Clock& clock, base::Executor& executor, store::Store& store);

  // The wire form of events from..to, if all of it is in memory.
  static std::optional<std::string> in_memory(const CachedRun& run, int64_t from, int64_t to);
  // The same from memory or the store. `done` may be called at once, or later on the executor.
  void read(const CachedRun& run, int64_t from, int64_t to, Done done);

  // Wakes the waiter when its events are durable, or its deadline has passed.
  void wait(CachedRun& run, HistoryWaiter waiter);
  // Events of the run became durable.
  void wake(CachedRun& run);
  // The run leaves memory, or the server ends: all who wait are woken.
  void end(CachedRun& run);
  void end_all();

 private:
  void read_stored(const store::RunKey& key, int64_t from, int64_t last, std::string before, std::string rest, Done done);
  void wake(CachedRun& run, bool all);
  void sweep();

  const base::Clock& clock_;
  base::Executor& executor_;
  store::Store& store_;
  std::map<uint64_t, CachedRun*> waited_for_;  // runs with waiters, by serial
  bool sweeping_ = false;
};

}  // namespace skald::shard
