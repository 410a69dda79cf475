#pragma once

#include <string>

#include <absl/status/status.h>

namespace skald::bench {

// How long a plugin's process takes from an attempt that crashes it to the answer to the next one.
absl::Status measure_restarts(const std::string& folder, int crashes);

// What an activity of a plugin costs in the host's process and in one of its own: one at a time, and many.
absl::Status measure_calls(const std::string& folder, int calls);

}  // namespace skald::bench
