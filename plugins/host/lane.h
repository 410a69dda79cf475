#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>

#include <absl/time/time.h>

#include "plugins/host/call.h"
#include "plugins/host/limits.h"
#include "plugins/sdk/skald_plugin.h"

namespace skald::plugins {

// How one plugin stands at the moment.
struct PluginMeter {
  int held = 0;     // attempts the plugin has and has not given back: these count against max_concurrent_activities
  int overdue = 0;  // of these: answered by the host at their deadline
  int waiting = 0;  // for a slot or the rate
};

// One plugin's way in: a thread that gives it attempts within its limits, so that a plugin that blocks holds up nobody
// else. Thread-safe. Lives on, without its thread being waited for, when the plugin does not come back.
class Lane : public std::enable_shared_from_this<Lane> {
 public:
  Lane(const skald_plugin& plugin, PluginLimits limits)
      : plugin_(plugin), limits_(limits), rate_(limits.max_activities_per_second) {}

  void start();
  void push(std::shared_ptr<Call> call);
  void answered(Call& call, bool timed_out);  // one that still waits is dropped
  void returned(Call& call);
  PluginMeter meter() const;
  const PluginLimits& limits() const { return limits_; }
  const skald_plugin& plugin() const { return plugin_; }

  // In this order. Each waits until it is so or the time has come, and says whether it is so.
  bool wait_idle(absl::Time until);
  void cancel_all();
  void answer_all(const temporal::api::failure::v1::Failure& failure);
  bool finish(absl::Time until);  // shuts the plugin down

 private:
  void work();
  std::shared_ptr<Call> next(std::unique_lock<std::mutex>& lock);

  const skald_plugin& plugin_;
  const PluginLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, changed_;
  RateGate rate_;
  uint64_t last_ = 0;
  std::map<uint64_t, std::shared_ptr<Call>> waiting_;
  std::map<Call*, std::shared_ptr<Call>> held_;
  std::unordered_set<const Call*> overdue_;
  bool stopping_ = false, finished_ = false;
  std::thread thread_;
};

}  // namespace skald::plugins
