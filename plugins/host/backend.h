#pragma once

#include <functional>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "plugins/host/limits.h"

namespace skald::plugins {

class Call;

// Where one plugin's code runs: in this process, or in one of its own.
class Backend {
 public:
  struct Setup {
    std::string config, data_path;  // for the plugin's init
    PluginLimits limits;
    std::function<void(bool)> on_serving;  // whether it takes attempts at the moment; may be called by any thread
  };

  virtual ~Backend() = default;
  // Initialises the plugin, and calls on_serving(true). Waits for it. An error is the plugin's reason.
  virtual absl::Status start(Setup setup) = 0;
  // Gives an attempt to the plugin, which answers it and gives it back (call.h). False: it takes none now. It may hold
  // up its caller, who is one at a time.
  virtual bool execute(const std::shared_ptr<Call>& call) = 0;
  // Ends the plugin. Waits for it, until `until` where it can be made to end. start() may follow.
  virtual void stop(absl::Time until) = 0;
};

}  // namespace skald::plugins
