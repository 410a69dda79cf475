#pragma once

#include <map>
#include <string>

#include <absl/status/statusor.h>

#include "plugins/host/limits.h"
#include "plugins/sdk/skald_plugin.h"

namespace skald::plugins {

struct LoadedPlugin {
  std::string path;
  const skald_plugin* plugin = nullptr;  // lives as long as the process
  std::string config;                    // JSON, or empty
  std::string config_source;             // the file it is from, or what stands for it; empty if there is none
  PluginLimits limits;
};

// Opens a shared object and checks what it says about itself. Its configuration is `configs`' for its name, else the
// file <name>.json beside it, else none.
absl::StatusOr<LoadedPlugin> load_plugin(const std::string& path, const std::map<std::string, std::string>& configs);

absl::Status initialize(const LoadedPlugin& loaded, const std::string& data_path);

}  // namespace skald::plugins
