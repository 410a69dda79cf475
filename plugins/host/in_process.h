#pragma once

#include "plugins/host/backend.h"
#include "plugins/sdk/skald_plugin.h"

namespace skald::plugins {

// A plugin in the host's own process, through its C interface. What it throws is the attempt's failure; if it crashes,
// the process does. stop() waits until its shutdown has returned.
class InProcess final : public Backend {
 public:
  explicit InProcess(const skald_plugin& plugin) : plugin_(plugin) {}

  absl::Status start(Setup setup) override;
  bool execute(const std::shared_ptr<Call>& call) override;
  void stop(absl::Time until) override;

 private:
  const skald_plugin& plugin_;
};

}  // namespace skald::plugins
