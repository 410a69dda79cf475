#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "engine/store/contents.h"

namespace skald::store {

// The rows of a data file that a store has open, over a connection of its own.
absl::StatusOr<std::unique_ptr<Contents>> open_contents(const std::string& path, const PageLimits& limits);

}  // namespace skald::store
