#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "plugins/sdk/skald_plugin.h"

namespace skald::plugin {

// Texts on their way through the C interface: what is lent there is copied here, and `text` is lent while it lives.
inline std::string copied(skald_text text) { return {text.data == nullptr ? "" : text.data, text.size}; }
inline skald_text lent(const std::string& text) { return {text.data(), text.size()}; }

// For maps that are asked with views of their keys.
struct TextHash : std::hash<std::string_view> {
  using is_transparent = void;
};

}  // namespace skald::plugin
