#pragma once

#include <string>
#include <string_view>

namespace skald::plugin::llm {

// In 64 hexadecimal digits.
std::string sha256(std::string_view bytes);

}  // namespace skald::plugin::llm
