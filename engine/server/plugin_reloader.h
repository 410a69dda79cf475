#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "plugins/host/plugin_host.h"

namespace skald::server {

// Reloads plugins on a thread of its own, which takes as long as what runs in them takes to end: whoever waits for
// signals can hear the next one meanwhile. Requests that come during a reload are one more reload after it. Thread-safe.
class PluginReloader {
 public:
  explicit PluginReloader(plugins::PluginHost& host) : host_(host), thread_([this] { work(); }) {}

  // Waits for a reload that is under way: stop the host before.
  ~PluginReloader() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  void request() {
    {
      const std::lock_guard lock(mutex_);
      asked_ = true;
    }
    wake_.notify_one();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return asked_ || ending_; });
      if (ending_) return;
      asked_ = false;
      lock.unlock();
      host_.reload();
      lock.lock();
    }
  }

  plugins::PluginHost& host_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool asked_ = false, ending_ = false;
  std::thread thread_;
};

}  // namespace skald::server
