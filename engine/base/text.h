#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include <string_view>

namespace skald::base {

// Debian's absl::string_view is a type of its own: these make it a std::string_view of the same characters.
inline std::string_view text(absl::string_view view) { return {view.data(), view.size()}; }
inline std::string_view text(const absl::Status& status) { return text(status.message()); }

}  // namespace skald::base
