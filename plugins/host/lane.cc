#include "plugins/host/lane.h"

#include <utility>
#include <vector>

#include <absl/time/clock.h>

namespace skald::plugins {

void Lane::start() {
  thread_ = std::thread([self = shared_from_this()] { self->work(); });
}

void Lane::push(std::shared_ptr<Call> call) {
  {
    std::lock_guard lock(mutex_);
    if (call->answered()) return;
    call->place = ++last_;
    waiting_.emplace(last_, std::move(call));
  }
  wake_.notify_one();
}

void Lane::answered(Call& call, bool timed_out) {
  std::shared_ptr<Call> dropped;
  std::lock_guard lock(mutex_);
  if (const auto found = waiting_.find(call.place); found != waiting_.end()) {
    dropped = std::move(found->second);
    waiting_.erase(found);
    changed_.notify_all();
  } else if (timed_out && held_.contains(&call)) {
    overdue_.insert(&call);
  }
}

void Lane::returned(Call& call) {
  std::shared_ptr<Call> dropped;
  std::lock_guard lock(mutex_);
  const auto found = held_.find(&call);
  if (found == held_.end()) return;
  dropped = std::move(found->second);
  held_.erase(found);
  overdue_.erase(&call);
  changed_.notify_all();
  if (!waiting_.empty()) wake_.notify_one();
}

PluginMeter Lane::meter() const {
  std::lock_guard lock(mutex_);
  return {static_cast<int>(held_.size()), static_cast<int>(overdue_.size()), static_cast<int>(waiting_.size())};
}

// The next attempt that the limits allow, or nullptr when the lane ends.
std::shared_ptr<Call> Lane::next(std::unique_lock<std::mutex>& lock) {
  while (!stopping_) {
    if (waiting_.empty() || held_.size() >= static_cast<size_t>(limits_.max_concurrent_activities)) {
      wake_.wait(lock);
    } else if (!rate_.take(absl::Now())) {
      wake_.wait_until(lock, absl::ToChronoTime(rate_.opens()));
    } else {
      auto node = waiting_.extract(waiting_.begin());
      held_.emplace(node.mapped().get(), node.mapped());
      return std::move(node.mapped());
    }
  }
  return nullptr;
}

void Lane::work() {
  std::unique_lock lock(mutex_);
  while (auto call = next(lock)) {
    lock.unlock();
    if (!call->begin(plugin_)) returned(*call);
    call = nullptr;
    lock.lock();
  }
  lock.unlock();
  plugin_.shutdown();
  lock.lock();
  finished_ = true;
  changed_.notify_all();
}

bool Lane::wait_idle(absl::Time until) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, absl::ToChronoTime(until), [this] { return waiting_.empty() && held_.empty(); });
}

void Lane::cancel_all() {
  std::lock_guard lock(mutex_);
  for (auto& [place, call] : waiting_) call->request_cancel();
  for (auto& [address, call] : held_) call->request_cancel();
}

void Lane::answer_all(const temporal::api::failure::v1::Failure& failure) {
  std::vector<std::shared_ptr<Call>> open;
  {
    std::lock_guard lock(mutex_);
    for (auto& [place, call] : waiting_) open.push_back(call);
    for (auto& [address, call] : held_) open.push_back(call);
  }
  for (auto& call : open) call->answer(failure, Ending::kFailed);
}

bool Lane::finish(absl::Time until) {
  bool finished;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
    finished = changed_.wait_until(lock, absl::ToChronoTime(until), [this] { return finished_; });
  }
  finished ? thread_.join() : thread_.detach();
  return finished;
}

}  // namespace skald::plugins
