#pragma once

#include <algorithm>

#include <absl/time/time.h>

#include "engine/base/random.h"

namespace skald::worker {

// How long to wait after each of several failures in a row: twice as long each time, from `first` to `longest`, and of
// that a random part of the upper half, so that many workers do not come back at the same moment. Not thread-safe.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration longest) : first_(first), longest_(longest), wait_(first) {}

  absl::Duration next(base::Random& random) {
    const absl::Duration wait = wait_ * (0.5 + random.unit() / 2);
    wait_ = std::min(wait_ * 2, longest_);
    return wait;
  }
  void reset() { wait_ = first_; }

 private:
  absl::Duration first_, longest_, wait_;
};

}  // namespace skald::worker
