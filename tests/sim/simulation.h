#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "lua/definitions.h"
#include "tests/sim/life.h"
#include "tests/sim/node.h"
#include "tests/sim/shop.h"
#include "tests/sim/shop_worker.h"

namespace skald::sim {

struct Options {
  uint64_t seed = 1;
  int orders = 12;
  int kills = 8;  // at most; between any two tasks of the simulated process
  store::FaultOptions faults = {.fail_before_commit = 0.01,
                                .unknown_outcome_committed = 0.01,
                                .unknown_outcome_lost = 0.01,
                                .read_failure = 0.01,
                                .max_commit_delay = absl::Milliseconds(5),
                                .max_read_delay = absl::Milliseconds(2)};
  ShopFaults shop_faults;
  Life life;
  // Defects on purpose.
  ShopDefect shop_defect = ShopDefect::kNone;
  NodeDefect node_defect = NodeDefect::kNone;
};

struct Report {
  std::vector<std::string> problems;    // empty = every invariant held
  std::map<std::string, int> outcomes;  // of orders
  uint64_t steps = 0;
  int kills = 0;
  absl::Duration took;  // simulated
  uint64_t digest = 0;  // of all that happened: the same for the same options
};

// Reads the workflows that the simulation runs: the order saga from `workflows`, those of its own from `own`. Throws
// std::runtime_error.
void load_definitions(lua::Definitions& definitions, const std::string& workflows, const std::string& own);

// Plays one seed: customers place orders, partners fail, the store fails, the process is killed and started again,
// until all is over. One thread; nothing but the options decides what happens.
Report simulate(const Options& options, const lua::Definitions& definitions);

}  // namespace skald::sim
