#pragma once

#include <cstdint>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "samples/mariadb/trial_store.h"

namespace skald::bench {

// What a MySQL server has counted since its start, of all its clients (SHOW GLOBAL STATUS): the engine and the plugins
// alike.
struct DatabaseCounters {
  int64_t statements = 0;  // Questions: each prepared statement's execution is one, however many rows it has
  int64_t commits = 0;     // Com_commit: of transactions that ended with COMMIT
  absl::Duration cpu;      // of the server's process, if it is the trial's own
};

// Zeros for a store that is no MySQL. Blocks.
absl::StatusOr<DatabaseCounters> read_counters(samples::TrialStore& store);

}  // namespace skald::bench
