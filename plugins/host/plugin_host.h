#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/worker/activity_worker.h"

namespace skald::plugins {

struct PluginHostOptions {
  std::string folder;                         // of the *.so files
  std::string data_path;                      // beginning of the names of the plugins' own files
  std::map<std::string, std::string> config;  // JSON by plugin's name
  bool strict = false;                        // one plugin that cannot be loaded stops the host
};

struct ActivityMeter {
  int64_t started = 0, completed = 0, failed = 0, cancelled = 0, late = 0;
  double seconds = 0;
};

// Loads plugins and runs their activities as "<plugin>.<activity>". Thread-safe.
class PluginHost final : public worker::ActivityExecutor {
 public:
  static absl::StatusOr<std::unique_ptr<PluginHost>> load(PluginHostOptions options);
  ~PluginHost() override;  // waits for what runs, then shuts the plugins down

  void execute(const worker::api::PollActivityTaskQueueResponse& task, Heartbeat heartbeat,
               std::function<void(worker::ActivityOutcome)> done) override;

  std::vector<std::string> activities() const;
  const std::vector<std::string>& problems() const;  // plugins that were not loaded, and why
  std::map<std::string, ActivityMeter> meters() const;

 private:
  struct State;
  explicit PluginHost(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace skald::plugins
