#pragma once

#include <condition_variable>
#include <mutex>

namespace skald::worker {

// Keeps calls that come too late away from what is about to be destroyed. Thread-safe.
class Gate {
 public:
  // Runs `call`, unless the gate is closed. Calls may be nested.
  template <typename Call>
  bool pass(Call&& call) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return false;
      ++inside_;
    }
    call();
    const std::lock_guard lock(mutex_);
    --inside_;
    left_.notify_all();
    return true;
  }

  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

  // Returns when nobody is inside; nobody will be again.
  void close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    left_.wait(lock, [this] { return inside_ == 0; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable left_;
  bool closed_ = false;
  int inside_ = 0;
};

}  // namespace skald::worker
