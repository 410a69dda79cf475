#pragma once

#include <map>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "plugins/host/limits.h"

namespace skald::plugins {

// Where a plugin's configuration is from.
struct ConfigSource {
  std::string name;    // as problems name it: the file, or what stands for it
  std::string text;    // JSON, in which // and /* */ are comments; empty: there is none
  std::string folder;  // what file names in it are relative to
};

// `given`'s for the plugin's name, else the file <name>.json beside the plugin, else an empty one. NOT_FOUND if the
// file is there and cannot be read.
absl::StatusOr<ConfigSource> find_config(const std::string& plugin_path, const std::string& plugin_name,
                                         const std::map<std::string, std::string>& given);

// Of a file that is named.
absl::StatusOr<ConfigSource> config_file(const std::string& path);

// A configuration that is in order.
struct PluginConfig {
  std::string
      text;  // what init gets: without comments and the host's own keys, secrets in place of their references, and
             // "$folder" added, an absolute path; empty if there is neither a configuration nor a schema
  nlohmann::json host = nlohmann::json::object();  // the host's own keys (host_settings.h)
  PluginLimits limits;
  std::vector<std::string> secrets;   // their values
  std::vector<std::string> warnings;  // sentences for the log, with file and line
};

// Checks a configuration against the plugin's schema (NULL: anything goes) and the host's own keys, and reads the
// secrets it refers to. INVALID_ARGUMENT names everything that is wrong, a line each: `file:line: key: sentence`. No
// sentence repeats a secret.
absl::StatusOr<PluginConfig> read_config(const ConfigSource& source, const char* schema);

}  // namespace skald::plugins
