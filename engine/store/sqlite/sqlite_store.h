#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "engine/store/store.h"

namespace skald::store {

// What one transaction takes together: batches in the order given, as many as wait, at least one.
struct GroupLimits {
  size_t batches = 64;
  size_t rows = 4'000;
  size_t bytes = 4 << 20;
};

struct SqliteOptions {
  std::string path;       // the file; its folder is made
  int readers = 2;        // threads, each with a connection
  GroupLimits group;      // what shares one transaction
  int64_t max_pages = 0;  // 0 = no limit; tests make the "disk" full with it
};

// Opens or creates the embedded store: SQLite in WAL mode, every commit flushed to the disk, one writer thread that
// puts all batches that wait into one transaction. One process a file: a second one gets FAILED_PRECONDITION. The other
// errors: INVALID_ARGUMENT (a folder), PERMISSION_DENIED (folder or file), DATA_LOSS (damaged, or no file of ours),
// FAILED_PRECONDITION (newer schema). Each says what to do, and data is untouched. Damage that lies deeper shows as
// DATA_LOSS when it is read.
absl::StatusOr<std::unique_ptr<Store>> open_sqlite(SqliteOptions options);

}  // namespace skald::store
