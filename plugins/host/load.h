#pragma once

#include <map>
#include <string>

#include <absl/status/statusor.h>

#include "plugins/host/config.h"
#include "plugins/sdk/skald_plugin.h"

namespace skald::plugins {

struct LoadedPlugin {
  std::string path;
  const skald_plugin* plugin = nullptr;  // lives as long as the process
  PluginConfig config;
  std::string config_source;  // the file it is from, or what stands for it; empty if there is none
};

// Opens a shared object, and checks what it says about itself and its configuration (find_config).
absl::StatusOr<LoadedPlugin> load_plugin(const std::string& path, const std::map<std::string, std::string>& configs);

absl::Status initialize(const LoadedPlugin& loaded, const std::string& data_path);

}  // namespace skald::plugins
