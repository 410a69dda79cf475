#pragma once

#include <string>

#include <absl/time/time.h>
#include <nlohmann/json.hpp>

namespace skald::plugins {

struct InspectOptions {
  std::string path;    // of the shared object
  std::string config;  // a file instead of <plugin>.json beside it
  absl::Duration patience = absl::Seconds(30);
};

// Looks at a plugin, and starts it with books that are thrown away, in a process of its own, which may crash or hang.
// The report: {"path", "in_order", "problems": [sentences], "warnings": [sentences]} and, as far as the plugin could
// say it: "name", "version", "abi", "activities":
// [{"name", "kind", "step", "undoes"}], "configuration": the file, "settings": [{"key", "type", "default", "required",
// "secret", "given", "description"}]. Not where other threads run.
nlohmann::json inspect(const InspectOptions& options);

}  // namespace skald::plugins
