#include "engine/worker/heartbeats.h"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "engine/base/text.h"

namespace skald::worker {
namespace {

constexpr absl::Duration kLongestInterval = absl::Seconds(60);
constexpr absl::Duration kIntervalWithoutTimeout = absl::Seconds(30);
constexpr double kPartOfTimeout = 0.8;
// A heartbeat that was lost is sent again sooner than the next one is due: there may be no other before the timeout.
constexpr absl::Duration kAgain = absl::Seconds(1);

}  // namespace

absl::Duration Heartbeats::interval(const wire::PollActivityTaskQueueResponse& task) {
  const auto& timeout = task.heartbeat_timeout();
  const absl::Duration length = absl::Seconds(timeout.seconds()) + absl::Nanoseconds(timeout.nanos());
  if (length <= absl::ZeroDuration()) return kIntervalWithoutTimeout;
  return std::min(length * kPartOfTimeout, kLongestInterval);
}

void Heartbeats::record(Details details, std::function<void()> cancel) {
  std::unique_lock lock(mutex_);
  if (closed_ || gone_) return;
  unsent_ = std::move(details);
  cancel_ = std::move(cancel);
  send_or_wait(lock);
}

void Heartbeats::send_or_wait(std::unique_lock<std::mutex>& lock) {
  if (!unsent_ || closed_ || gone_ || in_flight_ || timer_set_) return;
  const absl::Time now = timing_.clock.now();
  if (now < next_) {
    timer_set_ = true;
    const absl::Time when = next_;
    lock.unlock();
    timing_.executor.post_at(when, [self = shared_from_this()] {
      std::unique_lock lock(self->mutex_);
      self->timer_set_ = false;
      self->send_or_wait(lock);
    });
    return;
  }
  in_flight_ = true;
  next_ = now + interval_;
  sending_ = *std::exchange(unsent_, std::nullopt);
  wire::RecordActivityTaskHeartbeatRequest request = head_;
  *request.mutable_details() = sending_;
  lock.unlock();
  send_(std::move(request), [self = shared_from_this()](auto answer) { self->answered(answer); });
}

void Heartbeats::answered(const absl::StatusOr<wire::RecordActivityTaskHeartbeatResponse>& answer) {
  std::function<void()> cancel;
  std::unique_lock lock(mutex_);
  in_flight_ = false;
  gone_ = absl::IsNotFound(answer.status());
  if (!answer.ok() && !gone_) {
    spdlog::debug("a heartbeat was not taken: {}", base::text(answer.status()));
    if (!unsent_) unsent_ = std::move(sending_);
    next_ = std::min(next_, timing_.clock.now() + kAgain);
  }
  if (answer.ok() && answer->cancel_requested()) cancel_requested_ = true;
  const bool stop =
      gone_ || cancel_requested_ || (answer.ok() && (answer->activity_paused() || answer->activity_reset()));
  if (stop && !told_) {
    told_ = true;
    cancel = cancel_;
  }
  send_or_wait(lock);
  if (lock.owns_lock()) lock.unlock();
  if (cancel != nullptr) cancel();
}

std::optional<Heartbeats::Details> Heartbeats::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  if (in_flight_ && !unsent_) return std::move(sending_);
  return std::exchange(unsent_, std::nullopt);
}

bool Heartbeats::cancel_requested() const {
  const std::lock_guard lock(mutex_);
  return cancel_requested_;
}

}  // namespace skald::worker
