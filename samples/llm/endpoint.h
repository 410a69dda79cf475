#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "samples/llm/script.h"

namespace httplib {
struct Response;
}

namespace skald::samples::llm {

struct EndpointOptions {
  int port = 0;                          // 0: any free one
  std::string api_key;                   // what clients must show; empty: nothing
  std::chrono::milliseconds latency{0};  // of every answer
};

// A sandbox of a model provider: the two services of OpenAI's API that Skald uses, over HTTP on the loopback, and
// /sandbox for its owner. Thread-safe.
class Endpoint {
 public:
  explicit Endpoint(EndpointOptions options);
  ~Endpoint();

  Script& script() { return script_; }
  // Serves on threads of its own until stop(). Returns the port; throws std::runtime_error when it cannot be had.
  int start();
  // Ends soon, also in the middle of answers.
  void stop();

 private:
  struct Http;
  using Answer = std::function<void(httplib::Response&)>;

  void add_routes();
  Answer chat(const json& body, json& entry);
  json requests() const;
  void record(json entry);

  const EndpointOptions options_;
  Script script_;
  mutable std::mutex mutex_;
  std::deque<json> requests_;  // the last ones
  int64_t request_count_ = 0;
  std::atomic<bool> stopping_ = false;
  std::unique_ptr<Http> http_;
  std::thread thread_;
};

}  // namespace skald::samples::llm
