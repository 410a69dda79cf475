#pragma once

#include <mutex>
#include <string>

#include <absl/status/status.h>

#include "engine/base/clock.h"

namespace skald::worker {

// Says in the log that polls fail, at first and then once in a while, and when they no longer do. Thread-safe.
class ConnectionReport {
 public:
  // The clock outlives it.
  ConnectionReport(std::string address, const base::Clock& clock) : address_(std::move(address)), clock_(clock) {}

  void poll_ended(const absl::Status& status);
  // The channel is connected: a trouble that was only that is over.
  void connected();

 private:
  void over();

  const std::string address_;
  const base::Clock& clock_;
  std::mutex mutex_;
  absl::Status trouble_;
  absl::Time said_ = absl::InfinitePast();
};

}  // namespace skald::worker
