#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "plugins/sdk/executor.h"

namespace skald::plugin {

// Runs closures at or after a time, on threads that it makes when they are needed, up to a number. A closure may block:
// others have their own threads until there are no more. Thread-safe.
class Later final : public Executor {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Later(size_t most_threads) : most_threads_(most_threads) {}
  ~Later() override { close(); }

  // From now on stopping().
  void hurry() { stopping_soon_ = true; }
  bool stopping() const override { return stopping_soon_; }

  // Runs what waits at once, and returns when nothing runs any more. What comes later runs in the caller.
  void close() {
    hurry();
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      grow();
    }
    wake_.notify_all();
    for (auto& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

  void run(std::chrono::milliseconds delay, std::function<void()> body) override {
    {
      std::unique_lock lock(mutex_);
      if (stopping_) {
        lock.unlock();
        return body();
      }
      queue_.emplace(Clock::now() + delay, std::move(body));
      grow();
    }
    wake_.notify_one();
  }

 private:
  // One thread waits at the least, so that the earliest closure is begun in time.
  void grow() {
    if (waiting_ == 0 && !queue_.empty() && threads_.size() < most_threads_) {
      ++waiting_;
      threads_.emplace_back([this] { work(); });
    }
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (queue_.empty()) {
        if (stopping_) return;
        wake_.wait(lock);
      } else if (const auto due = queue_.begin()->first; !stopping_ && due > Clock::now()) {
        wake_.wait_until(lock, due);
      } else {
        auto body = std::move(queue_.begin()->second);
        queue_.erase(queue_.begin());
        --waiting_;
        if (!stopping_) grow();
        lock.unlock();
        body();
        body = nullptr;
        lock.lock();
        ++waiting_;
      }
    }
  }

  const size_t most_threads_;
  std::atomic<bool> stopping_soon_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::multimap<Clock::time_point, std::function<void()>> queue_;
  size_t waiting_ = 0;  // threads without a closure
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace skald::plugin
