#pragma once

#include <array>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/base/clock.h"
#include "engine/store/store.h"
#include "engine/upkeep/report.h"

namespace skald::upkeep {

// The setting that says of a copy whether it is whole.
inline constexpr char kCopyMark[] = "copy";

// FAILED_PRECONDITION if this setting says that the store is a copy that was interrupted, in a sentence that says what
// to do.
absl::Status check_copy_mark(const std::string& setting, const std::string& value);
// The same for a store that is about to be used. Blocks.
absl::Status check_whole(store::Store& store);

struct CopyOptions {
  std::string holder = "skald store copy";  // of the lease on both stores
  size_t batch_rows = 1'000;                // of one commit
  size_t batch_bytes = 2 << 20;             // likewise; a larger row has a batch of its own
  Progress progress;                        // null = nobody looks
};

using RowCounts = std::array<uint64_t, kTables>;

// Copies every row of `from` to `to`, which must be empty, and then compares every row of both. Takes all leases of
// both stores, so that no server works on them. Until it is over, `to` is marked as incomplete: servers and copies
// refuse it. Returns the rows of each table. FAILED_PRECONDITION if `to` is not empty, a server works on one of them,
// or `from` is an incomplete copy itself; DATA_LOSS if the two differ at the end; the stores' own errors. Blocks.
absl::StatusOr<RowCounts> copy(store::Store& from, store::Store& to, const base::Clock& clock,
                               const CopyOptions& options);

}  // namespace skald::upkeep
