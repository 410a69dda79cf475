#pragma once

#include <chrono>
#include <cstdint>

namespace skald::plugin {

// Keeps requests away from a service that fails. Closed: all pass, until so many have failed in a row. Open: none
// passes for a time. Then half-open: one passes, and by its outcome the breaker closes, or is open again. What passed
// before the breaker last changed tells nothing any more. Not thread-safe; times are given.
class CircuitBreaker {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Span = std::chrono::milliseconds;
  enum class Outcome { kSuccess, kFailure, kUnknown };  // unknown: it was given up by us

  struct Pass {
    bool allowed = true;
    Span wait{0};  // not allowed: when to ask again
    uint64_t period = 0;
  };

  CircuitBreaker(int failures, Span open) : most_(failures), open_(open) {}  // 0 failures: never opens

  // How long it lets nothing through; 0 if asking to pass is of use.
  Span shut_for(Time now) const;
  // One that is allowed must be recorded.
  Pass admit(Time now);
  void record(const Pass& pass, Outcome outcome, Time now);

 private:
  enum class State { kClosed, kOpen, kProbing };
  void become(State state);

  const int most_;
  const Span open_;
  State state_ = State::kClosed;
  int failures_ = 0;
  Time until_{};
  uint64_t period_ = 0;
};

}  // namespace skald::plugin
