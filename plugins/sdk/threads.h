#pragma once

#include <cstdint>

namespace skald::plugin {

// Threads for activities that wait: what the configuration says under "threads", or kThreads.
inline constexpr int64_t kThreads = 64;
inline constexpr int64_t kMostThreads = 10000;

}  // namespace skald::plugin
