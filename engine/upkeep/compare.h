#pragma once

#include <array>
#include <string>

#include <absl/status/statusor.h>

#include "engine/store/contents.h"
#include "engine/upkeep/report.h"

namespace skald::upkeep {

// Compares every row of two stores: the rows are those of `one`, the violations what `other` lacks, has too much, or
// has otherwise. Setting `ignored` is left out. Blocks; holds some pages in memory.
absl::StatusOr<Report> compare(store::Contents& one, store::Contents& other, const std::string& ignored_setting,
                               const Progress& progress);

}  // namespace skald::upkeep
