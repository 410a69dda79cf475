#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/base/random.h"
#include "engine/base/simulated.h"
#include "tests/sim/node.h"
#include "tests/sim/shop.h"

namespace skald::sim {

// Those who place orders, and change their minds. They repeat a request, under the same request id, until it is
// acknowledged.
class Customers {
 public:
  // What became of one workflow as far as its customer knows.
  struct Placed {
    std::string run_id;    // of the acknowledged start; empty = not acknowledged
    int signals_sent = 0;  // distinct ones
    int signals_acknowledged = 0;
  };

  Customers(base::SimulatedWorld& world, Shop& shop, int orders, uint64_t seed);

  // From now on this node is asked; null = none.
  void use(Node* node);

  // Has somebody send the workflow of an order a signal at that time, until it is acknowledged or it is too late for
  // it.
  void write(const std::string& id, const std::string& signal, const nlohmann::json& input, absl::Time when,
             std::function<void()> acknowledged);

  // Whether no request waits for its acknowledgement.
  bool satisfied() const { return open_ == 0; }
  const std::map<std::string, Placed>& placed() const { return placed_; }

 private:
  void place(const std::string& id, const std::string& type, nlohmann::json input);
  void start(const std::string& id, const std::string& type, const std::string& input, const std::string& request_id,
             std::shared_ptr<bool> answered);
  struct Letter {
    std::string id, signal, input, request_id;
    std::function<void()> acknowledged;
  };
  void post(const Letter& letter, std::shared_ptr<bool> answered);
  // What happens to an order once it is there: regrets, and a parcel that arrives or does not.
  void follow(const std::string& id, const std::string& type);
  nlohmann::json order(const std::string& id);
  nlohmann::json assisted_order(const std::string& id);
  // Calls `again` in a while unless `answered` is set by then. All tries of a request share `answered`.
  void watch(std::shared_ptr<bool> answered, std::function<void()> again);
  absl::Time in(absl::Duration most) { return world_.clock().now() + random_->unit() * most; }

  base::SimulatedWorld& world_;
  Shop& shop_;
  std::unique_ptr<base::Random> random_;
  std::unique_ptr<base::Executor> executor_;
  Node* node_ = nullptr;
  int open_ = 0;
  double assisted_ = 0;  // share of orders that have agents beside them
  std::map<std::string, Placed> placed_;
};

}  // namespace skald::sim
