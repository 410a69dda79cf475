#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "plugins/host/backend.h"
#include "plugins/host/config.h"
#include "plugins/host/isolation.h"
#include "plugins/host/library.h"

namespace skald::plugins {

struct LoadOptions {
  std::map<std::string, std::string> config;   // JSON by plugin's name, instead of its file
  std::vector<std::string> isolation_command;  // what runs an isolated plugin (isolated.h)
  IsolationOptions isolation;
  std::string data_path;  // where plugins keep their books
};

// A plugin that could be started.
struct LoadedPlugin {
  std::shared_ptr<const LibraryImage> image;
  PluginFacts facts;
  PluginConfig config;
  std::string config_source;  // the file it is from, or what stands for it; empty if there is none
  std::shared_ptr<Backend> backend;
};

// Opens a shared object where its configuration (find_config) says, and checks what it says about itself and that
// configuration. A plugin that is to be isolated is not opened in this process if its configuration has the name of its
// file.
absl::StatusOr<LoadedPlugin> load_plugin(std::shared_ptr<const LibraryImage> image, const LoadOptions& options);

// The configuration that a plugin would have if it were loaded now.
absl::StatusOr<PluginConfig> current_config(const std::string& path, const PluginFacts& facts,
                                            const LoadOptions& options, std::string* source_name = nullptr);

}  // namespace skald::plugins
