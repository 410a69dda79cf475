#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <sqlite3.h>

#include "engine/store/sqlite/statement.h"
#include "engine/store/store.h"

namespace skald::store {

// Turns batches into rows, within a transaction of its caller. Not thread-safe.
class BatchWriter {
 public:
  absl::Status prepare(sqlite3* db);

  // Writes the batch if its lease still holds; ABORTED if not. After an error the caller rolls back what was written.
  absl::Status write(const Batch& batch);

  // Whether the batch is the last one that its lease wrote; ABORTED if the lease does not hold.
  absl::StatusOr<bool> is_last_batch(const Lease& lease, const std::string& batch_id);

 private:
  // The id of the lease's last batch.
  absl::StatusOr<std::string> check_lease(const Lease& lease);
  absl::Status delete_runs(const Batch& batch);
  absl::Status write_runs(const Batch& batch);
  absl::Status write_visibility(const Batch& batch);

  sqlite3* db_ = nullptr;
  Statement lease_;
  Statement last_batch_;
  Statement run_;
  Statement current_;
  Statement history_;
  Statement outbox_;
  Statement outbox_done_;
  Statement visibility_;
  Statement attribute_;
  Statement attributes_gone_;
  Statement run_gone_;
  Statement history_gone_;
  Statement visibility_gone_;
  Statement current_gone_;
};

}  // namespace skald::store
