#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "engine/shard/cached_run.h"

namespace skald::shard {

// Runs of which memory knows something that no batch holds: the starts of tasks, and heartbeats. The next commit of the run
// takes it along for nothing. Where none comes it is written within a second, together with that of other runs, so that a
// restart knows who works on what.
class LateWrites {
 public:
  LateWrites(const base::Clock& clock, base::Executor& executor, std::function<void(CachedRun&)> write);

  // The run has something volatile.
  void note(CachedRun& run);
  // The run leaves memory.
  void forget(CachedRun& run) { runs_.erase(run.serial); }
  // Writes all there is.
  void write_all();

 private:
  void arm(absl::Duration in);
  void on_time();

  const base::Clock& clock_;
  base::Executor& executor_;
  std::function<void(CachedRun&)> write_;
  std::map<uint64_t, CachedRun*> runs_;  // by serial
  bool armed_ = false;
};

}  // namespace skald::shard
