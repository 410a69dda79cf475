#include "plugins/host/isolated.h"

#include <thread>
#include <utility>

#include <sys/prctl.h>

#include "plugins/host/process_keeper.h"

namespace skald::plugins {

absl::StatusOr<std::shared_ptr<Isolated>> Isolated::open(std::shared_ptr<const LibraryImage> image,
                                                         const std::vector<std::string>& command,
                                                         Confinement confinement) {
  // What this process knows is not for others of its user, as a plugin may be: no memory, environment or open file.
  prctl(PR_SET_DUMPABLE, 0);
  auto keeper = std::make_shared<ProcessKeeper>(std::move(image), command, std::move(confinement));
  std::shared_ptr<Isolated> isolated(new Isolated(keeper));
  isolated->thread_ = std::thread([keeper] { keeper->run(); });
  if (auto status = keeper->open(); !status.ok()) return status;
  return isolated;
}

Isolated::~Isolated() {
  keeper_->quit();
  // The last to hold it may be an attempt that the thread itself gives back.
  std::this_thread::get_id() == thread_.get_id() ? thread_.detach() : thread_.join();
}

const PluginFacts& Isolated::facts() const { return keeper_->facts(); }

absl::Status Isolated::start(Setup setup) { return keeper_->start(std::move(setup)); }

bool Isolated::execute(const std::shared_ptr<Call>& call) { return keeper_->execute(call); }

void Isolated::stop(absl::Time until) { keeper_->stop(until); }

}  // namespace skald::plugins
