#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/base/random.h"
#include "engine/base/simulated.h"
#include "tests/sim/life.h"
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
    bool may_fail = false;
    bool sent_unreadable = false;
    bool may_hear_twice = false;
  };

  // All references outlive it.
  Customers(base::SimulatedWorld& world, Shop& shop, Auditor& auditor, store::MemoryDisk& disk, const Life& life,
            int orders, uint64_t seed);

  // From now on this node is asked; null = none.
  void use(Node* node);

  // Has somebody send the workflow of an order a signal at that time, until it is acknowledged or it is too late for
  // it.
  void write(const std::string& id, const std::string& signal, const nlohmann::json& input, absl::Time when,
             std::function<void()> acknowledged);

  // The same with what cannot be read, or not as what it is taken for.
  struct Bytes {
    std::string encoding, data;
  };
  void write_bytes(const std::string& id, const std::string& signal, Bytes bytes, absl::Time when);
  // Has somebody place the workflow during the opening hours.
  void place(const std::string& id, const std::string& type, nlohmann::json input);
  // Its workflow may fail: then it counts as rejected.
  void may_fail(const std::string& id) { placed_[id].may_fail = true; }
  // A signal that is sent again may find another run of its workflow, which does not know it.
  void may_hear_twice(const std::string& id) { placed_[id].may_hear_twice = true; }
  // What somebody orders.
  nlohmann::json order(const std::string& id);

  bool sent_unreadable(const std::string& id) const {
    const auto placed = placed_.find(id);
    return placed != placed_.end() && placed->second.sent_unreadable;
  }

  // Whether no request waits for its acknowledgement.
  bool satisfied() const { return open_ == 0; }
  const std::map<std::string, Placed>& placed() const { return placed_; }

 private:
  void start(const std::string& id, const std::string& type, const std::string& input, const std::string& request_id,
             std::shared_ptr<bool> answered);
  struct Letter {
    std::string id, signal;
    Bytes input;
    std::string request_id;
    std::function<void()> acknowledged;
  };
  void send(const std::string& id, const std::string& signal, Bytes input, absl::Time when,
            std::function<void()> acknowledged);
  void post(const Letter& letter, std::shared_ptr<bool> answered);
  // What happens to an order once it is there: regrets, and a parcel that arrives or does not.
  void follow(const std::string& id, const std::string& type);
  nlohmann::json assisted_order(const std::string& id);
  // One try of a request. All tries of it share `answered`.
  struct Try {
    std::string what;
    absl::Time asked;
    int life = 0;  // of the node that was asked; 0 = none was there
    bool came = false;
  };
  // Begins a try; calls `again` in a while unless `answered` is set by then.
  std::shared_ptr<Try> begin(std::string what, std::shared_ptr<bool> answered, std::function<void()> again);
  // Its answer came.
  void came(Try& attempt, const absl::Status& status, bool refusal_is_due);
  int life() const { return node_ == nullptr ? 0 : lives_; }
  absl::Time in(absl::Duration most) { return world_.clock().now() + random_->unit() * most; }

  base::SimulatedWorld& world_;
  Shop& shop_;
  Auditor& auditor_;
  store::MemoryDisk& disk_;
  const Life life_;
  std::unique_ptr<base::Random> random_;
  std::unique_ptr<base::Executor> executor_;
  Node* node_ = nullptr;
  int lives_ = 0;  // that nodes have had
  int open_ = 0;
  double assisted_ = 0;  // share of orders that have agents beside them
  std::map<std::string, Placed> placed_;
};

// A signal's payload that is damaged, of another encoding, or nested too deeply.
Customers::Bytes unreadable(base::Random& random);

}  // namespace skald::sim
