#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <absl/time/time.h>

#include "engine/worker/activity_worker.h"
#include "plugins/host/alarms.h"
#include "plugins/host/limits.h"

namespace skald::plugins {

enum class Ending { kCompleted, kFailed, kCancelled, kTimedOut };

temporal::api::common::v1::Payloads json_payloads(std::string json);  // none from an empty text
temporal::api::failure::v1::Failure application_failure(const std::string& type, const std::string& message,
                                                        bool non_retryable);

class Call;

// Who has an attempt: told when it has been answered (before the answer is sent), and when the plugin gives it back.
class CallHolder {
 public:
  virtual ~CallHolder() = default;
  virtual void answered(Call& call, bool timed_out) = 0;
  virtual void returned(Call& call) = 0;
  virtual std::string why_waiting() const = 0;  // "the plugin …"
};

// What a plugin learns of an attempt; skald_plugin.h has the meanings.
struct CallTask {
  std::string activity, input, key, namespace_name, workflow_id, workflow_type, run_id, activity_id, heartbeat_details;
  int attempt = 1;
  std::string chain;
  int64_t scheduled_unix_ns = 0;
};

// What a plugin says when it fails an attempt.
struct CallFailure {
  std::string type, message, details;  // details: JSON or empty
  bool non_retryable = false;
  int64_t next_retry_delay_ms = 0;
};

// One attempt from its task to both of its ends: the server has its answer (from the plugin, at the deadline, or
// because the host stops: the first counts), and the plugin has given it back. Thread-safe.
class Call : public std::enable_shared_from_this<Call> {
 public:
  struct Callbacks {
    worker::ActivityExecutor::Heartbeat heartbeat;
    std::function<void(Call&, Ending)> counted;         // before the answer is sent
    std::function<void(worker::ActivityOutcome)> done;  // to the server
  };

  Call(const worker::wire::PollActivityTaskQueueResponse& task, std::string activity, std::shared_ptr<Alarms> alarms,
       Callbacks callbacks);

  void watch_deadline();  // once
  void enter(std::shared_ptr<CallHolder> holder);
  // The plugin is to have it now: max_activity_time counts from here. False if it has been answered.
  bool begin(const PluginLimits& limits);
  void put_back();  // it was not begun after all
  // Sends an answer if there is none yet.
  void answer(worker::ActivityOutcome outcome, Ending ending);
  // `reason` is the type of its failure if it stops for that.
  void request_cancel(const char* reason = kHostStopping);
  bool answered() const { return answered_; }
  bool cancel_requested() const { return cancel_requested_; }
  absl::Time deadline() const;  // then it is answered by the host

  // The plugin's side. One of the first four, and give_back after it.
  void complete(std::string result);
  void refuse_output(size_t size);  // instead of complete(): a result above max_output_bytes
  void fail(CallFailure failure);
  void stopped();  // because it was asked to
  void heartbeat(std::string details);
  void give_back();
  // `tell` is called once when the attempt is to be cancelled, perhaps at once; it must not block.
  void on_cancel(std::function<void()> tell);

  static constexpr char kHostStopping[] = "HostStopping", kPluginReloading[] = "PluginReloading";

  const std::string type;  // "<plugin>.<activity>"
  const CallTask task;
  const absl::Time arrived = absl::Now();
  std::atomic<uint64_t> place = 0;  // in the queue of its lane

 private:
  void set_alarm(absl::Time deadline);  // mutex_ is held
  void expire();
  void send_heartbeat(std::unique_lock<std::mutex>& lock);
  std::shared_ptr<CallHolder> holder() const;

  const absl::Time task_deadline_;
  const absl::Duration heartbeat_interval_;
  const std::shared_ptr<Alarms> alarms_;
  Callbacks callbacks_;
  std::atomic<const char*> cancel_reason_ = kHostStopping;
  std::atomic<bool> answered_ = false, begun_ = false, cancel_requested_ = false, server_cancelled_ = false;
  mutable std::mutex mutex_;  // guards what follows
  PluginLimits limits_;
  absl::Time deadline_;
  std::shared_ptr<CallHolder> holder_;
  std::function<void()> tell_cancel_;
  std::optional<Alarms::Id> deadline_alarm_, heartbeat_alarm_;
  std::optional<temporal::api::common::v1::Payloads> pending_details_;
  absl::Time last_heartbeat_ = absl::InfinitePast();
};

}  // namespace skald::plugins
