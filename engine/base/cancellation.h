#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/base/executor.h"

namespace skald::base {

// Tells a call under way that its caller is gone. Thread-safe; shared by the two ends.
class Cancellation {
 public:
  // Runs the callbacks, once, in the calling thread. Idempotent.
  void cancel() {
    std::vector<Task> callbacks;
    {
      const std::lock_guard lock(mutex_);
      if (cancelled_) return;
      cancelled_ = true;
      callbacks.swap(callbacks_);
    }
    for (Task& callback : callbacks) callback();
  }

  // Runs `callback` upon cancel(), at once if that has been. Must not block.
  void on_cancel(Task callback) {
    {
      const std::lock_guard lock(mutex_);
      if (!cancelled_) {
        callbacks_.push_back(std::move(callback));
        return;
      }
    }
    callback();
  }

  bool cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }

 private:
  mutable std::mutex mutex_;
  bool cancelled_ = false;
  std::vector<Task> callbacks_;
};

}  // namespace skald::base
