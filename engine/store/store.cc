#include "engine/store/store.h"

#include <absl/strings/str_cat.h>

#include "engine/store/contents.h"

namespace skald::store {

absl::Status lease_lost(const std::string& holder) {
  return absl::AbortedError(
      absl::StrCat("the lease on the data was taken over by ", holder.empty() ? "another process" : holder));
}

absl::StatusOr<std::unique_ptr<Contents>> Store::contents(const PageLimits&) {
  return absl::UnimplementedError("this store cannot be read as a whole");
}

bool Batch::empty() const { return rows() == 0; }

size_t Batch::rows() const {
  return runs.size() + current.size() + history.size() + outbox.size() + outbox_done.size() + visibility.size() + deleted_runs.size();
}

size_t Batch::bytes() const {
  size_t bytes = 0;
  for (const RunRow& row : runs) bytes += row.state.size();
  for (const HistoryRow& row : history) bytes += row.chunk.bytes.size();
  for (const OutboxRow& row : outbox) bytes += row.message.size();
  for (const VisibilityRow& row : visibility) bytes += row.memo.size() + row.search_attributes.size();
  return bytes;
}

}  // namespace skald::store
