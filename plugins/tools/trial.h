#pragma once

#include <string>
#include <variant>

#include <absl/time/time.h>

#include "plugins/host/plugin_host.h"

namespace skald::plugins {

// An activity as a server would ask for it, all of its attempts under the same ids.
struct Trial {
  std::string type;   // "<plugin>.<activity>"
  std::string input;  // JSON
  std::string namespace_name, workflow_id;
  absl::Duration timeout;  // start to close
  int attempts = 1;
};

// Runs it, attempt after attempt as the default retry policy of servers has it (1s, 2s, 4s … between them, or what the
// failure says), and tells on standard error what happens on the way: heartbeats, and failures that are tried again.
// The first interrupt (SIGINT) asks the activity to stop, the second stops the host.
worker::ActivityOutcome run_trial(PluginHost& host, const Trial& trial);

}  // namespace skald::plugins
