#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugins/host/alarms.h"
#include "plugins/host/load.h"
#include "plugins/host/plugin_host.h"

namespace skald::plugins {

// The host's inside, which the callbacks of attempts share.
struct PluginHost::State {
  struct Hosted {
    LoadedPlugin loaded;
    std::shared_ptr<Lane> lane;
    bool running = true;
  };
  struct Said {
    std::string sentence;
    bool failed = false;
  };
  struct Activity {
    std::shared_ptr<Lane> lane;
    std::string name;
  };

  explicit State(PluginHostOptions given)
      : options(std::move(given)), load_options{options.config, options.isolation_command, options.isolation, options.data_path} {}

  const PluginHostOptions options;
  const LoadOptions load_options;
  const std::shared_ptr<Alarms> alarms = std::make_shared<Alarms>();
  std::mutex reloading;      // held by who changes `plugins`; before `mutex`
  mutable std::mutex mutex;  // guards what follows
  bool stopping = false;
  std::map<std::string, Hosted> plugins;  // by name
  std::map<std::string, Activity> activities;
  std::shared_ptr<Lane> draining;
  std::vector<std::shared_ptr<Lane>> left_behind;  // of old versions that do not end
  std::vector<std::string> problems;
  std::map<std::string, std::string> missing;  // why it is not loaded, by the name of the plugin and of its file
  std::map<std::string, ActivityMeter> meters;

  absl::StatusOr<std::vector<std::string>> files() const;
  absl::Status add(LoadedPlugin loaded);
  absl::Status start(Lane& lane, const LoadedPlugin& loaded) const;
  absl::Status not_started(const LoadedPlugin& loaded, const absl::Status& why) const;
  void route(const std::string& name, Hosted hosted);
  void unroute(const std::string& name);  // `mutex` is held
  std::string unknown(const std::string& type) const;
  void miss(const std::string& name, const absl::Status& why);
  void count(const Call& call, Ending ending);

  // Of a reload; each returns what is to be said of it.
  Said look_at(const std::string& file, const std::vector<std::string>& files, std::vector<std::string>& seen);
  Said take(LoadedPlugin loaded, const std::vector<std::string>& files);
  Said replace(const std::string& name, LoadedPlugin loaded);
  Said unload(const std::string& name);
  bool drain(const std::shared_ptr<Lane>& lane);
};

}  // namespace skald::plugins
