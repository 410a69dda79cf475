#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include <absl/time/clock.h>
#include <absl/time/time.h>

namespace skald::plugins {

// One thread that calls closures at their time, unless they were taken back. They must not block. Thread-safe; a
// closure may set and clear alarms.
class Alarms {
 public:
  using Id = std::pair<absl::Time, uint64_t>;

  Alarms() : thread_([this] { work(); }) {}
  ~Alarms() { stop(); }

  // What is not due is dropped. Not from a closure.
  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  Id set(absl::Time at, std::function<void()> ring) {
    std::lock_guard lock(mutex_);
    const Id id{at, ++last_};
    const auto [place, fresh] = alarms_.emplace(id, std::move(ring));
    if (place == alarms_.begin()) wake_.notify_one();
    return id;
  }

  void clear(const Id& id) {
    std::function<void()> dropped;  // what it holds is freed without the lock
    std::lock_guard lock(mutex_);
    if (const auto found = alarms_.find(id); found != alarms_.end()) {
      dropped = std::move(found->second);
      alarms_.erase(found);
    }
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (alarms_.empty()) {
        wake_.wait(lock);
      } else if (const absl::Time due = alarms_.begin()->first.first; due > absl::Now()) {
        wake_.wait_until(lock, absl::ToChronoTime(due));
      } else {
        auto ring = std::move(alarms_.begin()->second);
        alarms_.erase(alarms_.begin());
        lock.unlock();
        ring();
        ring = nullptr;
        lock.lock();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<Id, std::function<void()>> alarms_;
  uint64_t last_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace skald::plugins
