#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <sqlite3.h>

#include "engine/store/sqlite/statement.h"
#include "engine/store/store.h"

namespace skald::store {

// Reads over one connection. Not thread-safe.
class Reader {
 public:
  absl::Status prepare(sqlite3* db);

  absl::StatusOr<std::optional<RunRow>> run(const RunKey& key);
  absl::StatusOr<std::optional<CurrentRow>> current(const WorkflowKey& key);
  absl::StatusOr<std::vector<HistoryChunk>> history(const RunKey& key, int64_t first_event_id, int64_t last_event_id,
                                                    size_t max_bytes);
  absl::StatusOr<std::vector<HistoryChunk>> history_reverse(const RunKey& key, int64_t last_event_id, size_t max_bytes);
  absl::StatusOr<Page<std::pair<RunKey, absl::Time>>> wake(const Lease& lease, absl::Time until,
                                                           const std::string& after, size_t limit);
  absl::StatusOr<Page<RunKey>> work(const Lease& lease, const std::string& after, size_t limit);
  absl::StatusOr<Page<OutboxRow>> outbox(const Lease& lease, const std::string& after, size_t limit);
  absl::StatusOr<Page<VisibilityRow>> list(const VisibilityQuery& query, size_t page_size, const std::string& token);
  absl::StatusOr<std::vector<CountGroup>> count(const VisibilityQuery& query);

 private:
  sqlite3* db_ = nullptr;
  Statement run_;
  Statement current_;
  Statement history_;
  Statement history_reverse_;
  Statement wake_;
  Statement work_;
  Statement outbox_;
};

}  // namespace skald::store
