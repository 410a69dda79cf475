#include "engine/store/scan_position.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

namespace skald::store {

std::string encode_position(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) {
    absl::StrAppend(&text, part.size(), ":");
    text.append(part);
  }
  return text;
}

std::optional<std::vector<std::string>> decode_position(std::string_view text, size_t parts) {
  std::vector<std::string> result;
  while (!text.empty()) {
    const size_t colon = text.find(':');
    size_t size = 0;
    if (colon == std::string_view::npos || !absl::SimpleAtoi(std::string(text.substr(0, colon)), &size)) return {};
    text.remove_prefix(colon + 1);
    if (size > text.size()) return {};
    result.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  if (result.size() != parts) return {};
  return result;
}

}  // namespace skald::store
