#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skald::store {

// Where a scan goes on: the parts of the last row's key as one text. Parts may hold any byte.
std::string encode_position(std::initializer_list<std::string_view> parts);
// The parts; nullopt if the text is not a position of that many parts.
std::optional<std::vector<std::string>> decode_position(std::string_view text, size_t parts);

}  // namespace skald::store
