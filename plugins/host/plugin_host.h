#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "engine/worker/activity_worker.h"
#include "plugins/host/isolation.h"
#include "plugins/host/lane.h"

namespace skald::plugins {

struct PluginHostOptions {
  std::string folder;     // of the *.so files; <plugin>.json beside them is a plugin's configuration
  std::string data_path;  // where plugins keep their books: files or a MySQL server, as skald_plugin.h says of init
  std::map<std::string, std::string> config;      // JSON by plugin's name, instead of its file
  bool strict = false;                            // one plugin that cannot be loaded stops the host, unless it has no
                                                  // configuration and needs one: such are left out
  absl::Duration stop_grace = absl::Seconds(10);  // of the destructor
  // What runs an isolated plugin: "--fd N" is added, and it is to call serve_isolated(N) (serve.h).
  std::vector<std::string> isolation_command = {"/proc/self/exe", "plugin", "serve"};
  IsolationOptions isolation = {};
};

struct ActivityMeter {
  int64_t started = 0, completed = 0, failed = 0, cancelled = 0, timed_out = 0;
  double seconds = 0;  // of all together, until their answer
};

// Loads plugins and runs their activities as "<plugin>.<activity>". Every attempt is answered at its deadline at the
// latest, whatever its plugin does. Thread-safe.
class PluginHost final : public worker::ActivityExecutor {
 public:
  static absl::StatusOr<std::unique_ptr<PluginHost>> load(PluginHostOptions options);
  ~PluginHost() override;  // stop(stop_grace)

  void execute(const worker::wire::PollActivityTaskQueueResponse& task, Heartbeat heartbeat,
               std::function<void(worker::ActivityOutcome)> done) override;

  // Looks at the folder again. What is new is loaded. What changed, its file or its configuration, is replaced:
  // attempts that come wait, those that run get drain_seconds to end, then a request to cancel, then the retryable
  // failure "PluginReloading"; if the new one does not start, the old one is started again. What is gone is drained and
  // unloaded. The rest is left alone. Takes as long as that; returns what it says in the log, a line each. One at a
  // time; stop() makes it hurry.
  std::vector<std::string> reload();

  // Refuses what comes, and gives what runs `grace` to end, the second half of it with a request to cancel. What has
  // not ended then is answered with a retryable failure "HostStopping", and its plugin is left behind. Takes at most
  // one and a half times `grace`. A worker that waits for its answers is stopped after this.
  void stop(absl::Duration grace);

  std::vector<std::string> activities() const;
  std::vector<std::string> problems() const;  // plugins that were not loaded, and why
  std::map<std::string, ActivityMeter> meters() const;
  std::map<std::string, PluginMeter> plugin_meters() const;

 private:
  struct State;
  explicit PluginHost(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace skald::plugins
