#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/random.h"
#include "engine/base/simulated.h"
#include "tests/sim/advisor.h"
#include "tests/sim/customers.h"

namespace skald::sim {

// The people who are asked: they answer in time, too late, both of two, in words that are no answer, or never.
class Clerks {
 public:
  struct Word {
    std::string by, verdict;
    std::optional<absl::Time> acknowledged;
  };

  // All references outlive it.
  Clerks(base::SimulatedWorld& world, Advisor& advisor, Customers& customers, uint64_t seed);

  // How long an order's people are waited for, all together.
  static constexpr absl::Duration kPatience = absl::Minutes(7);

  // What they said of a decision that was an answer.
  const std::vector<Word>& words(const std::string& decision) const;

 private:
  void hear(const Advisor::Decision& decision);
  void say(const Advisor::Decision& decision, const std::string& by, absl::Duration after, absl::Duration within);
  bool happens(double probability) { return random_->unit() < probability; }

  base::SimulatedWorld& world_;
  Customers& customers_;
  std::unique_ptr<base::Random> random_;
  std::map<std::string, std::vector<Word>> words_;
};

}  // namespace skald::sim
