#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

namespace skald::bench {

// A model's endpoint that always gives the same answer, streamed, and measures what it takes itself: from when it has
// the request until it has written the last byte.
class StopwatchEndpoint {
 public:
  explicit StopwatchEndpoint(std::string answer, std::chrono::milliseconds latency);
  ~StopwatchEndpoint();

  int port() const { return port_; }
  std::chrono::microseconds busy() const { return std::chrono::microseconds(busy_us_); }
  int64_t requests() const { return requests_; }

 private:
  struct Http;
  const std::string answer_;
  const std::chrono::milliseconds latency_;
  std::atomic<int64_t> busy_us_ = 0, requests_ = 0;
  int port_ = 0;
  std::unique_ptr<Http> http_;
  std::thread thread_;
};

}  // namespace skald::bench
