#include "engine/store/visibility_token.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

namespace skald::store {

std::string encode_token(const VisibilityToken& token) { return absl::StrCat("1:", token.start_time_nanos, ":", token.run_id); }

absl::StatusOr<VisibilityToken> decode_token(const std::string& text) {
  VisibilityToken token;
  const size_t colon = text.find(':', 2);
  if (text.rfind("1:", 0) != 0 || colon == std::string::npos || !absl::SimpleAtoi(text.substr(2, colon - 2), &token.start_time_nanos)) {
    return absl::InvalidArgumentError("Invalid NextPageToken.");
  }
  token.run_id = text.substr(colon + 1);
  return token;
}

}  // namespace skald::store
