#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "plugins/sdk/executor.h"

namespace skald::plugin {

// Coroutines go on in the thread that waits for them, so that it needs no other. Thread-safe.
class OwnThread final : public Executor {
 public:
  explicit OwnThread(const Executor& plugins) : plugins_(plugins) {}

  void run(std::chrono::milliseconds delay, std::function<void()> body) override {
    std::lock_guard lock(mutex_);
    queue_.emplace(Clock::now() + delay, std::move(body));
    wake_.notify_one();  // with the lock: this may end as soon as that is free
  }
  bool stopping() const override { return plugins_.stopping(); }

  // Runs what comes until `done`, which only that changes.
  void work(const bool& done) {
    while (!done) {
      std::function<void()> body;
      {
        std::unique_lock lock(mutex_);
        while (queue_.empty() || queue_.begin()->first > Clock::now()) {
          if (queue_.empty()) {
            wake_.wait(lock);
          } else {
            const auto due = queue_.begin()->first;
            wake_.wait_until(lock, due);
          }
        }
        body = std::move(queue_.begin()->second);
        queue_.erase(queue_.begin());
      }
      body();
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  const Executor& plugins_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::multimap<Clock::time_point, std::function<void()>> queue_;
};

}  // namespace skald::plugin
