#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace skald::base {

// The version 4 UUID made of 122 of these 128 random bits, as lower-case text (RFC 9562, section 5.4).
std::string format_uuid_v4(uint64_t high, uint64_t low);

// Whether `text` has the canonical form 8-4-4-4-12 of hexadecimal digits.
bool is_uuid(std::string_view text);

}  // namespace skald::base
