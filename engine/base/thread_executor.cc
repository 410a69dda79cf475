#include "engine/base/thread_executor.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace skald::base {

ThreadExecutor::ThreadExecutor(std::string name, const Clock& clock)
    : clock_(clock), thread_([this, name = std::move(name)] { run(name); }) {}

ThreadExecutor::~ThreadExecutor() { stop(); }

void ThreadExecutor::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    ready_.push_back(std::move(task));
    if (ready_.size() > 1) return;  // The first one has woken the thread.
  }
  wake_.notify_one();
}

void ThreadExecutor::post_at(absl::Time when, Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    timed_.emplace(when, std::move(task));
  }
  wake_.notify_one();
}

void ThreadExecutor::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void ThreadExecutor::run(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  // Nobody waits longer than this: a clock that was set back must not put timers to sleep.
  constexpr absl::Duration kLongestNap = absl::Seconds(1);
  std::vector<Task> batch;
  std::unique_lock lock(mutex_);
  while (true) {
    if (!timed_.empty()) {
      const absl::Time now = clock_.now();
      while (!timed_.empty() && timed_.begin()->first <= now) {
        ready_.push_back(std::move(timed_.begin()->second));
        timed_.erase(timed_.begin());
      }
    }
    if (ready_.empty()) {
      if (stopping_) break;
      if (timed_.empty()) {
        wake_.wait(lock);
      } else {
        const absl::Duration nap = std::min(timed_.begin()->first - clock_.now(), kLongestNap);
        wake_.wait_for(lock, absl::ToChronoNanoseconds(std::max(nap, absl::ZeroDuration())));
      }
      continue;
    }
    batch.swap(ready_);
    lock.unlock();
    for (Task& task : batch) {
      task();
      task = nullptr;  // Destroys captures here, without the lock, before the next task.
    }
    batch.clear();
    lock.lock();
  }
  std::multimap<absl::Time, Task> dropped = std::move(timed_);
  timed_.clear();
  lock.unlock();
}

}  // namespace skald::base
