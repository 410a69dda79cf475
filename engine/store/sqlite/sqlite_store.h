#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "engine/store/store.h"

namespace skald::store {

struct SqliteOptions {
  std::string path;        // the file; its folder is made
  int readers = 2;         // threads, each with a connection
  size_t group_batches = 64;     // batches that share one transaction
  int64_t max_pages = 0;   // 0 = no limit; tests make the "disk" full with it
};

// Opens or creates the embedded store: SQLite in WAL mode, every commit flushed to the disk, one writer thread that puts all batches that
// wait into one transaction. One process a file: a second one gets FAILED_PRECONDITION. The other errors: PERMISSION_DENIED (folder or file),
// DATA_LOSS (damaged, or no file of ours), FAILED_PRECONDITION (newer schema). Data is untouched in each case.
absl::StatusOr<std::unique_ptr<Store>> open_sqlite(SqliteOptions options);

}  // namespace skald::store
