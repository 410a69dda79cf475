#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "plugins/sdk/http_transfer.h"

namespace skald::plugin {

// What follows after a try.
struct RetryPlan {
  enum class Next {
    kNone,    // it stands
    kAgain,   // after `wait`
    kTooLate  // it would be tried again, but `wait` is longer than there is time
  };
  Next next = Next::kNone;
  std::chrono::milliseconds wait{0};
};

struct RetryRules {
  int tries = 1;  // in all
  std::chrono::milliseconds first{0};
  bool repeatable = false;
};

// Pauses are random up to `first`, twice that, four times, ten seconds at most; `chance` is from 0 to 1. Retry-After is
// a pause's least length. Nothing waits in its place for more than a minute.
RetryPlan plan_retry(const HttpResult& result, const RetryRules& rules, int tried, std::chrono::milliseconds remaining,
                     double chance, std::chrono::system_clock::time_point now);

// The value of Retry-After: seconds, or a date. Nothing when it is neither; a day at most.
std::optional<std::chrono::milliseconds> retry_after(const std::string& value,
                                                     std::chrono::system_clock::time_point now);

}  // namespace skald::plugin
