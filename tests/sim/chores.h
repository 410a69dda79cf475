#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/base/random.h"
#include "engine/base/simulated.h"
#include "tests/sim/customers.h"
#include "tests/sim/life.h"

namespace skald::sim {

// What the merchant does beside taking orders, one workflow of each kind in a seed at most: tests/sim/workflows has
// them.
class Chores {
 public:
  // All references outlive it.
  Chores(base::SimulatedWorld& world, Shop& shop, Customers& customers, const Life& life, uint64_t seed);

  // What is wrong with a workflow's result, if it is one of these.
  std::vector<std::string> check(const std::string& id, const nlohmann::json& result) const;

 private:
  void count();
  void meet_deadlines();
  void read_mail();
  void walk_chain();
  void ship_in_branches();
  // Sends a letter at some time in between, and remembers it when it is acknowledged.
  void send_letter(const std::string& id, const char* signal, int letter, absl::Duration after, absl::Duration within);
  void send_unreadable(const std::string& id, const char* signal, absl::Duration within);
  void check_letters(const std::string& id, const nlohmann::json& result, std::vector<std::string>& problems) const;
  absl::Time in(absl::Duration after, absl::Duration within);

  base::SimulatedWorld& world_;
  Shop& shop_;
  Customers& customers_;
  const Life life_;
  std::unique_ptr<base::Random> random_;
  std::map<std::string, std::set<int>> letters_;  // acknowledged ones, by workflow
  std::map<std::string, int> shelves_;            // to be counted, by workflow
};

}  // namespace skald::sim
