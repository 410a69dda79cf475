#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace skald::plugin {

// Counts what runs. Thread-safe.
class Running {
 public:
  void begin() {
    std::lock_guard lock(mutex_);
    ++count_;
  }
  void end() {
    std::lock_guard lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  void wait_none() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  size_t count_ = 0;
};

}  // namespace skald::plugin
