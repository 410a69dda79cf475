#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/worker/timing.h"
#include "engine/worker/transport.h"

namespace skald::worker {

// The heartbeats of one attempt of an activity: the first goes out at once, later ones at most once an interval (0.8 of
// the heartbeat timeout, 30 s where there is none, never more than 60 s), always with the newest details. Thread-safe.
class Heartbeats : public std::enable_shared_from_this<Heartbeats> {
 public:
  using Details = temporal::api::common::v1::Payloads;
  using Send =
      std::function<void(wire::RecordActivityTaskHeartbeatRequest, Done<wire::RecordActivityTaskHeartbeatResponse>)>;

  static absl::Duration interval(const wire::PollActivityTaskQueueResponse& task);

  // `head`: the request without details.
  Heartbeats(Send send, Timing timing, wire::RecordActivityTaskHeartbeatRequest head, absl::Duration interval)
      : send_(std::move(send)), timing_(timing), head_(std::move(head)), interval_(interval) {}

  // `cancel` is called, at most once, when the attempt is to stop: it was cancelled, paused or reset, or the server
  // does not know it any more.
  void record(Details details, std::function<void()> cancel);

  // The attempt is answered: nothing goes out any more. Returns what was not sent.
  std::optional<Details> close();
  // Whether the server has asked for the activity's cancellation itself.
  bool cancel_requested() const;

 private:
  void send_or_wait(std::unique_lock<std::mutex>& lock);
  void answered(const absl::StatusOr<wire::RecordActivityTaskHeartbeatResponse>& answer);

  const Send send_;
  const Timing timing_;
  const wire::RecordActivityTaskHeartbeatRequest head_;
  const absl::Duration interval_;
  mutable std::mutex mutex_;
  std::optional<Details> unsent_;
  Details sending_;
  std::function<void()> cancel_;
  absl::Time next_ = absl::InfinitePast();
  bool in_flight_ = false, timer_set_ = false, closed_ = false;
  bool gone_ = false;  // the server does not know the attempt any more
  bool told_ = false;  // the activity
  bool cancel_requested_ = false;
};

}  // namespace skald::worker
