#pragma once

#include <algorithm>

#include <absl/time/time.h>

namespace skald::plugins {

// How long to wait before a process that crashed is started again: not at all, and longer and longer while it completes
// nothing between two crashes. Not thread-safe.
class RestartPause {
 public:
  absl::Duration after_crash(bool completed_anything) {
    if (completed_anything) in_a_row_ = 0;
    const int doubled = std::min(in_a_row_++ - 1, kMostDoubled);
    return doubled < 0 ? absl::ZeroDuration() : std::min(kFirst * (1 << doubled), kLongest);
  }

 private:
  static constexpr absl::Duration kFirst = absl::Milliseconds(100), kLongest = absl::Seconds(30);
  static constexpr int kMostDoubled = 20;
  int in_a_row_ = 0;
};

}  // namespace skald::plugins
