#pragma once

#include <chrono>
#include <cstdint>

namespace skald::plugin::erp {

// Milliseconds since 1970.
inline int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace skald::plugin::erp
