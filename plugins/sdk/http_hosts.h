#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugins/sdk/bulkhead.h"
#include "plugins/sdk/circuit_breaker.h"
#include "plugins/sdk/http_options.h"

namespace skald::plugin {

// What is known of one origin. Thread-safe.
class HttpHost {
 public:
  explicit HttpHost(const HttpOptions& options)
      : bulkhead(std::make_shared<Bulkhead>(static_cast<size_t>(options.max_concurrent_per_host),
                                            static_cast<size_t>(options.max_waiting_per_host))),
        breaker_(options.breaker_failures, options.breaker_open) {}

  std::chrono::milliseconds shut_for() {
    std::lock_guard lock(mutex_);
    return breaker_.shut_for(std::chrono::steady_clock::now());
  }
  CircuitBreaker::Pass admit() {
    std::lock_guard lock(mutex_);
    return breaker_.admit(std::chrono::steady_clock::now());
  }
  void record(const CircuitBreaker::Pass& pass, CircuitBreaker::Outcome outcome) {
    std::lock_guard lock(mutex_);
    breaker_.record(pass, outcome, std::chrono::steady_clock::now());
  }

  const std::shared_ptr<Bulkhead> bulkhead;

 private:
  std::mutex mutex_;
  CircuitBreaker breaker_;
};

// One request's pass through a breaker: what is not recorded says nothing.
class CircuitPass {
 public:
  explicit CircuitPass(HttpHost& host) : host_(host), pass_(host.admit()) {}
  CircuitPass(const CircuitPass&) = delete;
  ~CircuitPass() { record(CircuitBreaker::Outcome::kUnknown); }
  bool allowed() const { return pass_.allowed; }
  std::chrono::milliseconds wait() const { return pass_.wait; }
  void record(CircuitBreaker::Outcome outcome) {
    if (pass_.allowed) host_.record(pass_, outcome);
    pass_.allowed = false;
  }

 private:
  HttpHost& host_;
  CircuitBreaker::Pass pass_;
};

// All origins that were asked for, but for those that are long forgotten. Thread-safe.
class HttpHosts {
 public:
  explicit HttpHosts(const HttpOptions& options) : options_(options) {}
  std::shared_ptr<HttpHost> at(const std::string& origin);
  void sweep();
  void stop();

 private:
  std::vector<std::shared_ptr<HttpHost>> all();

  const HttpOptions options_;
  std::mutex mutex_;
  bool stopped_ = false;
  std::map<std::string, std::shared_ptr<HttpHost>> hosts_;
};

}  // namespace skald::plugin
