#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <sys/types.h>

namespace skald::plugins {

// What plugins in processes of their own are given, and what is kept from them.
struct IsolationOptions {
  // Whose their processes are where the host runs as root: a name or a number, in which "{plugin}" stands for the
  // plugin's name. Empty: a number of its own for each.
  std::string user;
  // Files that they are not to reach: paths, or beginnings of them. The plugins' books need not be named.
  std::vector<std::string> hidden;
  // Where such a plugin keeps its books, by its name, as skald_plugin.h says of init; empty: nowhere. Without it: where
  // the others do.
  std::function<absl::StatusOr<std::string>(const std::string& plugin)> data_path;
};

struct PluginUser {
  uid_t user = 0;
  gid_t group = 0;
};

// What one process is started with.
struct Confinement {
  std::string folder;              // its own, and its working directory; empty: it has none
  std::optional<PluginUser> user;  // nothing: the host's
  std::vector<std::string> hidden;
};

// Makes the plugin's folder where the host's `data_path` is one of files. Nobody but its user may look into that.
absl::StatusOr<Confinement> confinement_of(const std::string& plugin, const std::string& data_path,
                                           const IsolationOptions& options);

// The data_path of this plugin's init. Books of a plugin that is isolated lie in its folder, and are moved there if they
// are not yet: none of its processes runs.
absl::StatusOr<std::string> books_of(const std::string& plugin, bool isolated, const std::string& data_path,
                                     const IsolationOptions& options);

}  // namespace skald::plugins
