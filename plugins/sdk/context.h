#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "plugins/sdk/activity_failure.h"
#include "plugins/sdk/executor.h"
#include "plugins/sdk/skald_plugin.h"

namespace skald::plugin {

using json = nlohmann::json;

// One attempt of an activity. Shared by the threads that work on it.
class Context : public std::enable_shared_from_this<Context> {
 public:
  // `executor` is where its coroutines go on; one that has none must not wait.
  Context(const skald_host* host, const skald_task& task, skald_call* call, Executor* executor = nullptr);

  const std::string activity;
  const std::string idempotency_key;  // the same on every attempt of this activity
  const std::string namespace_name, workflow_id, workflow_type, run_id, activity_id;
  const int attempt;  // from 1
  const int64_t deadline_unix_ms;
  const std::string chain;  // the first of the runs that follow each other (continue-as-new, retry, cron, reset)
  const int64_t scheduled_unix_ns;  // the same on every attempt; 0: not known

  json last_heartbeat() const;  // of the attempt before; null when there was none
  void heartbeat(const json& details);
  // True when going on is useless: throw ActivityCancelled then. The server's wish is learnt by heartbeats.
  bool cancelled() const { return host_->cancel_requested(call_) != 0; }
  void log(int level, std::string_view text) const { host_->log(level, {text.data(), text.size()}); }
  std::chrono::milliseconds remaining() const;  // until the deadline; 0 when it has passed

  // The answer: exactly one. The kit gives it from what an activity returns or throws.
  void complete(std::string_view result_json) { host_->complete(call_, {result_json.data(), result_json.size()}); }
  void fail(const ActivityFailure& failure);
  Executor* executor() const { return executor_; }

 private:
  const skald_host* host_;
  skald_call* call_;
  Executor* executor_;
  std::string heartbeat_details_;
};

}  // namespace skald::plugin
