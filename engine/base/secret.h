#pragma once

#include <string>

#include <absl/status/statusor.h>

namespace skald::base {

// A secret by reference, so that none stands in a process list or a configuration file: env:NAME is an environment
// variable, file:PATH a file's content up to its last line break. INVALID_ARGUMENT (neither), NOT_FOUND (not there, or
// empty); messages never repeat more than the reference.
absl::StatusOr<std::string> read_secret(const std::string& reference);

}  // namespace skald::base
