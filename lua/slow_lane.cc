#include "lua/slow_lane.h"

#include <utility>

namespace skald::lua {
namespace {

constexpr uint64_t kTurn = 2'000'000;  // instructions: about ten milliseconds

}  // namespace

SlowLane::SlowLane(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

SlowLane::~SlowLane() { stop(); }

void SlowLane::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  queue_.clear();
  buried_.clear();
}

void SlowLane::take(std::unique_ptr<WorkflowTaskHandler::Unfinished> task, Answered answered) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    queue_.push_back({std::move(task), std::move(answered)});
  }
  changed_.notify_one();
}

void SlowLane::bury(std::unique_ptr<Script> script) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    buried_.push_back(std::move(script));
  }
  changed_.notify_one();
}

void SlowLane::work() {
  while (true) {
    std::vector<std::unique_ptr<Script>> buried;
    Entry entry;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !queue_.empty() || !buried_.empty(); });
      if (stopping_) return;
      buried.swap(buried_);
      if (queue_.empty()) continue;
      entry = std::move(queue_.front());
      queue_.pop_front();
    }
    WorkflowTaskHandler::Answer answer;
    if (!entry.task->go_on(kTurn, answer)) {
      take(std::move(entry.task), std::move(entry.answered));
      continue;
    }
    entry.task.reset();
    entry.answered(std::move(answer));
  }
}

}  // namespace skald::lua
