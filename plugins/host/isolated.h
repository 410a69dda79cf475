#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/statusor.h>

#include "plugins/host/backend.h"
#include "plugins/host/isolation.h"
#include "plugins/host/library.h"

namespace skald::plugins {

class ProcessKeeper;

// A plugin in a process of its own. When that crashes, or is ended because it hangs, takes too much memory or sends
// what is no message, the attempts that it held fail with "PluginCrashed", which is retried, and it is started again:
// at once, and after a growing pause (up to half a minute) when it crashed again without having completed anything.
// Thread-safe.
class Isolated final : public Backend {
 public:
  // Starts the process and has it open the library.
  static absl::StatusOr<std::shared_ptr<Isolated>> open(std::shared_ptr<const LibraryImage> image,
                                                        const std::vector<std::string>& command,
                                                        Confinement confinement);
  ~Isolated() override;

  const PluginFacts& facts() const;

  absl::Status start(Setup setup) override;
  bool execute(const std::shared_ptr<Call>& call) override;
  void stop(absl::Time until) override;

 private:
  explicit Isolated(std::shared_ptr<ProcessKeeper> keeper) : keeper_(std::move(keeper)) {}
  const std::shared_ptr<ProcessKeeper> keeper_;
  std::thread thread_;
};

}  // namespace skald::plugins
