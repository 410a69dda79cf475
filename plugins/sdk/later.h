#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace skald::plugin {

// A few threads that run closures at or after a time. What has not begun when it is destroyed runs at once.
// Thread-safe.
class Later {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Later(size_t threads) {
    for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  ~Later() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  void run(std::chrono::milliseconds delay, std::function<void()> body) {
    {
      std::lock_guard lock(mutex_);
      queue_.emplace(Clock::now() + delay, std::move(body));
    }
    wake_.notify_one();
  }

 private:
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
        lock.unlock();
        body();
        lock.lock();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::multimap<Clock::time_point, std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace skald::plugin
