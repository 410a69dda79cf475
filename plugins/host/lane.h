#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include <absl/time/time.h>

#include "plugins/host/backend.h"
#include "plugins/host/call.h"
#include "plugins/host/library.h"
#include "plugins/host/limits.h"

namespace skald::plugins {

// How one plugin stands at the moment.
struct PluginMeter {
  int held = 0;     // attempts the plugin has and has not given back: these count against max_concurrent_activities
  int overdue = 0;  // of these: answered by the host at their deadline
  int waiting = 0;  // for a slot, the rate or the plugin
};

// One plugin's way in: a thread that gives it attempts within its limits, so that a plugin that blocks holds up nobody
// else. Thread-safe. Lives on, without its thread being waited for, when the plugin does not come back.
class Lane final : public CallHolder, public std::enable_shared_from_this<Lane> {
 public:
  Lane(std::shared_ptr<Backend> backend, PluginFacts facts, PluginLimits limits);
  ~Lane() override;

  // Initialises the plugin and begins to give it what waits. Waits for it; after an error the lane only keeps what
  // waits.
  absl::Status start(const std::string& config, const std::string& data_path);
  void push(std::shared_ptr<Call> call);
  PluginMeter meter() const;
  const PluginLimits& limits() const { return limits_; }
  const PluginFacts& facts() const { return facts_; }

  void answered(Call& call, bool timed_out) override;  // one that still waits is dropped
  void returned(Call& call) override;
  std::string why_waiting() const override;

  // What waits, and what comes from now on, is `next`'s.
  void hand_over(const std::shared_ptr<Lane>& next);
  // In this order. Each waits until it is so or the time has come, and says whether it is so.
  bool wait_idle(absl::Time until);
  void stop_waiting();                  // wait_idle returns at once from now on
  void cancel_all(const char* reason);  // as for Call::request_cancel
  void answer_all(const temporal::api::failure::v1::Failure& failure);
  bool finish(absl::Time until);  // shuts the plugin down

 private:
  void set_serving(bool serving);
  void work();
  std::shared_ptr<Call> next(std::unique_lock<std::mutex>& lock);
  void give(const std::shared_ptr<Call>& call);

  const std::shared_ptr<Backend> backend_;
  const PluginFacts facts_;
  const PluginLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, changed_;
  RateGate rate_;
  uint64_t last_ = 0;
  std::map<uint64_t, std::shared_ptr<Call>> waiting_;
  std::map<Call*, std::shared_ptr<Call>> held_;
  std::unordered_set<const Call*> overdue_;
  std::shared_ptr<Lane> next_;
  bool serving_ = false, stopping_ = false, finished_ = false, hurried_ = false;
  absl::Time end_ = absl::InfiniteFuture();  // of the plugin, when stopping
  std::thread thread_;
};

}  // namespace skald::plugins
