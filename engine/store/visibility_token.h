#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

namespace skald::store {

// Where a list goes on: after the run of this start time and id.
struct VisibilityToken {
  int64_t start_time_nanos = 0;
  std::string run_id;
};

std::string encode_token(const VisibilityToken& token);
// INVALID_ARGUMENT for anything that encode_token has not made.
absl::StatusOr<VisibilityToken> decode_token(const std::string& text);

}  // namespace skald::store
