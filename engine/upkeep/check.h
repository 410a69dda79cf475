#pragma once

#include <absl/status/statusor.h>

#include "engine/store/contents.h"
#include "engine/upkeep/report.h"

namespace skald::upkeep {

struct CheckOptions {
  size_t sentences_per_table = 10;
  Progress progress;  // null = nobody looks
};

// Looks at every row of a store that no server works on: whether each can be read, and whether the tables agree with
// each other as every commit leaves them. Blocks; holds some pages of rows in memory, however large the store. Errors
// are the store's own, when it cannot be read; what is wrong with the rows is in the report.
absl::StatusOr<Report> check(store::Contents& contents, const CheckOptions& options);

}  // namespace skald::upkeep
