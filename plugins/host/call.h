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
#include "plugins/sdk/skald_plugin.h"

namespace skald::plugins {

enum class Ending { kCompleted, kFailed, kCancelled, kTimedOut };

temporal::api::common::v1::Payloads json_payloads(std::string json);  // none from an empty text
temporal::api::failure::v1::Failure application_failure(const std::string& type, const std::string& message,
                                                        bool non_retryable);

// One attempt from its task to both of its ends: the server has its answer (from the plugin, at the deadline, or
// because the host stops: the first counts), and the plugin has given it back. Thread-safe.
class Call : public std::enable_shared_from_this<Call> {
 public:
  struct Callbacks {
    worker::ActivityExecutor::Heartbeat heartbeat;
    std::function<void(Call&, Ending)> answered;        // before it is sent
    std::function<void(worker::ActivityOutcome)> done;  // to the server
    std::function<void(Call&)> returned;                // the plugin has given it back
  };

  Call(const worker::api::PollActivityTaskQueueResponse& task, std::string activity, const PluginLimits& limits,
       std::shared_ptr<Alarms> alarms, Callbacks callbacks);

  void watch_deadline();  // once
  // Gives the attempt to the plugin, unless it has been answered: false then. What `execute` throws is the attempt's
  // failure.
  bool begin(const skald_plugin& plugin);
  // Sends an answer if there is none yet.
  void answer(worker::ActivityOutcome outcome, Ending ending);
  void request_cancel() { cancel_requested_ = true; }
  bool answered() const { return answered_; }

  const std::string type;  // "<plugin>.<activity>"
  const absl::Time arrived = absl::Now();
  uint64_t place = 0;  // in the lane's queue

  static const skald_host* host_functions();

 private:
  friend struct HostFunctions;
  void expire();
  void complete(std::string result);
  void stopped();
  void heartbeat(temporal::api::common::v1::Payloads details);
  void send_heartbeat(std::unique_lock<std::mutex>& lock);

  const std::string activity_, input_, key_, namespace_, workflow_id_, workflow_type_, run_id_, activity_id_, details_;
  const int attempt_;
  const absl::Time deadline_;
  const absl::Duration heartbeat_interval_;
  const PluginLimits limits_;
  const std::shared_ptr<Alarms> alarms_;
  Callbacks callbacks_;
  std::atomic<bool> answered_ = false, begun_ = false, cancel_requested_ = false, server_cancelled_ = false;
  std::mutex mutex_;  // guards what follows
  std::optional<Alarms::Id> deadline_alarm_, heartbeat_alarm_;
  std::optional<temporal::api::common::v1::Payloads> pending_details_;
  absl::Time last_heartbeat_ = absl::InfinitePast();
};

}  // namespace skald::plugins
