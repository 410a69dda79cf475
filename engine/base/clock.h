#pragma once

#include <absl/time/clock.h>
#include <absl/time/time.h>

namespace skald::base {

// The only source of time in the engine. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time now() const = 0;
};

class SystemClock final : public Clock {
 public:
  absl::Time now() const override { return absl::Now(); }
};

}  // namespace skald::base
