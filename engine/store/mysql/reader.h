#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/store/mysql/session.h"
#include "engine/store/store.h"

namespace skald::store {

// The reads of the store's contract over one session, which commits by itself. Not thread-safe.
class MysqlReader {
 public:
  explicit MysqlReader(Session& session) : session_(session) {}

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
  absl::Status filtered(const std::string& sql, const std::vector<Value>& values, const Session::OnRow& on_row,
                        std::string_view doing);

  Session& session_;
};

}  // namespace skald::store
