#include "plugins/host/lane.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

namespace skald::plugins {

Lane::Lane(std::shared_ptr<Backend> backend, PluginFacts facts, PluginLimits limits)
    : backend_(std::move(backend)),
      facts_(std::move(facts)),
      limits_(limits),
      rate_(limits.max_activities_per_second) {}

Lane::~Lane() {
  if (thread_.joinable()) thread_.detach();
}

absl::Status Lane::start(const std::string& config, const std::string& data_path) {
  auto status = backend_->start({config, data_path, limits_, [self = weak_from_this()](bool serving) {
                                   if (const auto lane = self.lock()) lane->set_serving(serving);
                                 }});
  if (status.ok()) thread_ = std::thread([self = shared_from_this()] { self->work(); });
  return status;
}

void Lane::set_serving(bool serving) {
  std::lock_guard lock(mutex_);
  serving_ = serving;
  wake_.notify_one();
}

void Lane::push(std::shared_ptr<Call> call) {
  call->enter(shared_from_this());
  std::unique_lock lock(mutex_);
  if (next_ != nullptr) {
    const auto next = next_;
    lock.unlock();
    return next->push(std::move(call));
  }
  if (call->answered()) return;
  call->place = ++last_;
  waiting_.emplace(last_, std::move(call));
  wake_.notify_one();
}

void Lane::hand_over(const std::shared_ptr<Lane>& next) {
  std::map<uint64_t, std::shared_ptr<Call>> moved;
  {
    std::lock_guard lock(mutex_);
    next_ = next;
    moved.swap(waiting_);
    changed_.notify_all();
  }
  for (auto& [place, call] : moved) next->push(std::move(call));
}

void Lane::answered(Call& call, bool timed_out) {
  std::shared_ptr<Call> dropped;
  std::lock_guard lock(mutex_);
  if (const auto found = waiting_.find(call.place); found != waiting_.end() && found->second.get() == &call) {
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

std::string Lane::why_waiting() const {
  std::lock_guard lock(mutex_);
  if (!serving_) return "the plugin is being started again";
  return absl::StrCat("the plugin holds max_concurrent_activities = ", limits_.max_concurrent_activities,
                      " already, or max_activities_per_second holds it back (\"limits\" in its configuration)");
}

PluginMeter Lane::meter() const {
  std::lock_guard lock(mutex_);
  return {static_cast<int>(held_.size()), static_cast<int>(overdue_.size()), static_cast<int>(waiting_.size())};
}

// The next attempt that the limits allow, or nullptr when the lane ends.
std::shared_ptr<Call> Lane::next(std::unique_lock<std::mutex>& lock) {
  while (!stopping_) {
    if (!serving_ || waiting_.empty() || held_.size() >= static_cast<size_t>(limits_.max_concurrent_activities)) {
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

void Lane::give(const std::shared_ptr<Call>& call) {
  if (!call->begin(limits_)) return returned(*call);
  const auto& known = facts_.activities;
  if (std::find(known.begin(), known.end(), call->task.activity) == known.end()) {
    const std::string text = absl::StrCat("no activity ", call->type, ": version ", facts_.version, " of plugin ",
                                          facts_.name, ", which is loaded now, has none");
    call->answer(application_failure("NotFoundError", text, false), Ending::kFailed);
    return returned(*call);
  }
  if (backend_->execute(call)) return;
  call->put_back();
  std::shared_ptr<Lane> next;
  {
    std::lock_guard lock(mutex_);
    held_.erase(call.get());
    changed_.notify_all();
    next = next_;
    if (next == nullptr && !call->answered()) waiting_.emplace(call->place, call);
  }
  if (next != nullptr) next->push(call);
}

void Lane::work() {
  std::unique_lock lock(mutex_);
  while (auto call = next(lock)) {
    lock.unlock();
    give(call);
    call = nullptr;
    lock.lock();
  }
  const absl::Time end = end_;
  lock.unlock();
  backend_->stop(end);
  lock.lock();
  finished_ = true;
  changed_.notify_all();
}

bool Lane::wait_idle(absl::Time until) {
  std::unique_lock lock(mutex_);
  const auto idle = [this] { return waiting_.empty() && held_.empty(); };
  changed_.wait_until(lock, absl::ToChronoTime(until), [&] { return hurried_ || idle(); });
  return idle();
}

void Lane::stop_waiting() {
  std::lock_guard lock(mutex_);
  hurried_ = true;
  changed_.notify_all();
}

void Lane::cancel_all(const char* reason) {
  std::vector<std::shared_ptr<Call>> all;
  {
    std::lock_guard lock(mutex_);
    for (auto& [place, call] : waiting_) all.push_back(call);
    for (auto& [address, call] : held_) all.push_back(call);
  }
  for (auto& call : all) call->request_cancel(reason);
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
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) return true;
  stopping_ = true;
  end_ = until - (until - absl::Now()) / 5;  // a process that must be ended by force takes a while
  wake_.notify_one();
  const bool finished = changed_.wait_until(lock, absl::ToChronoTime(until), [this] { return finished_; });
  lock.unlock();
  finished ? thread_.join() : thread_.detach();
  return finished;
}

}  // namespace skald::plugins
