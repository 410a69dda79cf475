#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "engine/base/random.h"
#include "engine/base/simulated.h"
#include "tests/sim/auditor.h"
#include "tests/sim/life.h"
#include "tests/sim/node.h"

namespace skald::sim {

// The activities of the chores that take long: a count that heartbeats, and falls silent now and then; a rest.
class ChoreWorker {
 public:
  using Task = shard::wire::PollActivityTaskQueueResponse;
  using Finished = std::function<void(const Task&, int)>;

  // `finished` answers the task. All references outlive it.
  ChoreWorker(base::SimulatedWorld& world, Auditor& auditor, const Life& life, uint64_t seed, Finished finished);

  void use(Node* node) { node_ = node; }
  void stop_faults() { falls_silent_ = 0; }
  void run(const Task& task);

 private:
  struct Progress {
    int shelf = 0;
    absl::Time heard;  // by the engine
  };

  void resume(const Task& task);
  void count(const Task& task, int shelf);
  void heartbeat(const Task& task, int shelf);
  Progress& progress(const Task& task) { return progress_[{task.workflow_execution().run_id(), task.activity_id()}]; }

  base::SimulatedWorld& world_;
  Auditor& auditor_;
  const Life life_;
  std::unique_ptr<base::Random> random_;
  std::unique_ptr<base::Executor> executor_;
  const Finished finished_;
  double falls_silent_ = 0.02;  // after a shelf
  Node* node_ = nullptr;
  std::map<std::pair<std::string, std::string>, Progress> progress_;  // of a run's activity
};

}  // namespace skald::sim
