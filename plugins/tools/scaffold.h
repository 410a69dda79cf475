#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace skald::plugins {

struct ScaffoldOptions {
  std::string name;              // of the plugin
  std::filesystem::path folder;  // to be made, or empty
  std::filesystem::path tree;    // Skald's source tree
  std::filesystem::path build;   // where that was built
};

// The source tree that `given` names, else the one that the running binary is in. NOT_FOUND if there is no kit in it.
absl::StatusOr<std::filesystem::path> find_tree(const std::string& given);

// Writes a plugin that works, and returns the names of its files. INVALID_ARGUMENT (the name), ALREADY_EXISTS (anything
// is there: nothing is overwritten).
absl::StatusOr<std::vector<std::string>> scaffold(const ScaffoldOptions& options);

}  // namespace skald::plugins
