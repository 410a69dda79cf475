#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>

#include <absl/time/time.h>

#include "engine/base/random.h"
#include "engine/base/simulated.h"
#include "tests/sim/chore_worker.h"
#include "tests/sim/life.h"
#include "tests/sim/node.h"
#include "tests/sim/shop.h"

namespace skald::sim {

// How often an attempt of an activity goes wrong, and how.
struct ShopFaults {
  double fails_before = 0.05;   // an error, nothing happened
  double fails_after = 0.05;    // an error, but it happened
  double silent_before = 0.02;  // no answer, nothing happened
  double silent_after = 0.04;   // no answer, but it happened
  double late = 0.03;           // happens long after the attempt's timeout
  double outage = 0.1;          // of an order's payment: errors for longer than the saga's patience, after it happened
  double model_outage = 0.1;    // of an order's agent: errors for longer than it waits, after the first one was heard
  double erp_outage = 0.15;     // of an order's entry: errors for some minutes, after the first one was written
  absl::Duration usual_delay = absl::Milliseconds(200);
  absl::Duration late_delay = absl::Seconds(40);
};

// The activities' worker: takes tasks from whichever node lives, acts on the shop, and answers, late, twice or never.
// It outlives the nodes.
class ShopWorker {
 public:
  // All references outlive it.
  ShopWorker(base::SimulatedWorld& world, Shop& shop, Auditor& auditor, store::MemoryDisk& disk,
             const ShopFaults& faults, const Life& life, uint64_t seed);

  // Few pollers, each of which rests after a task.
  void slow_down() { is_slow_ = true; }
  // From now on this node is polled and answered; null = none.
  void use(Node* node);
  // All but the outages, which last until whoever asks gives up.
  void stop_faults() {
    chores_.stop_faults();
    faults_ = ShopFaults{0, 0, 0, 0, 0, faults_.outage, faults_.model_outage, faults_.erp_outage};
  }

 private:
  using Task = shard::wire::PollActivityTaskQueueResponse;

  void poll();
  void run(const Task& task);
  bool in_outage(const Task& task) const;
  void act(const Task& task, bool answers, bool as_error);
  void answer(const Task& task, const Answer& answer);
  void answer_error(const Task& task);
  // An attempt is handed out once, soon after it is due.
  void inspect_delivery(const Task& task);
  // What comes of an answer: one that is refused must be out of date.
  template <typename Response>
  shard::Done<Response> answered(const Task& task);
  bool is_pending(const Task& task) const;
  bool happens(double probability) { return random_->unit() < probability; }
  void later(absl::Duration most, base::Task task);

  base::SimulatedWorld& world_;
  Shop& shop_;
  Auditor& auditor_;
  store::MemoryDisk& disk_;
  ShopFaults faults_;
  const Life life_;
  std::unique_ptr<base::Random> random_;
  std::unique_ptr<base::Executor> executor_;
  ChoreWorker chores_;
  Node* node_ = nullptr;
  uint64_t generation_ = 0;
  bool is_slow_ = false;
  std::map<std::tuple<std::string, std::string, int>, absl::Time> delivered_;  // by run, activity and attempt
};

}  // namespace skald::sim
