#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/store/rows.h"
#include "engine/store/store.h"

// Durable state as a whole: what a check reads, and a copy. A server has no use for it.
namespace skald::store {

// What a page may hold; it has at least one row, however large.
struct PageLimits {
  size_t rows = 1'000;
  size_t bytes = 4 << 20;
};

// A run's row with the column that the store derives by itself.
struct StoredRun {
  RunRow row;
  int slot = 0;
};
struct StoredMessage {
  OutboxRow row;
  int slot = 0;
};
struct SettingRow {
  std::string name;
  std::string value;
};

// Every row of every table, page by page in the order of its key, texts compared byte by byte. Blocks; used by one
// thread at a time; the store must outlive it. It is no snapshot: of what is written meanwhile some may show. Pages go
// on after the `next` of the one before; "" begins. INVALID_ARGUMENT for a position that is none, DATA_LOSS if the
// store is damaged, UNAVAILABLE if it does not answer.
class Contents {
 public:
  virtual ~Contents() = default;

  virtual absl::StatusOr<std::vector<NamespaceRow>> namespaces() = 0;                // by id
  virtual absl::StatusOr<Page<SettingRow>> settings(const std::string& after) = 0;   // but those of the store itself
  virtual absl::StatusOr<Page<StoredRun>> runs(const std::string& after) = 0;        // by key
  virtual absl::StatusOr<Page<CurrentRow>> current(const std::string& after) = 0;    // by key
  virtual absl::StatusOr<Page<HistoryRow>> history(const std::string& after) = 0;    // by run id and first event
  virtual absl::StatusOr<Page<StoredMessage>> outbox(const std::string& after) = 0;  // by id
  // With attributes, but without their types, and without those that have no value. By namespace id and run id.
  virtual absl::StatusOr<Page<VisibilityRow>> visibility(const std::string& after) = 0;

  // Those of the rows that exist, in any order. Of history rows the key is the run id alone.
  virtual absl::StatusOr<std::vector<StoredRun>> runs_of(const std::vector<RunKey>& keys) = 0;
  virtual absl::StatusOr<std::vector<StoredMessage>> outbox_of(const std::vector<std::string>& ids) = 0;
  virtual absl::StatusOr<std::vector<VisibilityRow>> visibility_of(const std::vector<RunKey>& keys) = 0;
  // Pages over the history of these runs, by run id and first event.
  virtual absl::StatusOr<Page<HistoryRow>> history_of(const std::vector<std::string>& run_ids,
                                                      const std::string& after) = 0;

  // Rows of runs that do not exist: by run id; by namespace id and run id.
  virtual absl::StatusOr<Page<std::string>> history_without_run(const std::string& after) = 0;
  virtual absl::StatusOr<Page<RunKey>> visibility_without_run(const std::string& after) = 0;
};

}  // namespace skald::store
