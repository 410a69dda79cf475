#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/answer.h"

namespace skald::sim {

// The ERP, as its plugin shows it: an order is written once, and each of its outcomes once, however often it is asked.
// Some orders are changed by somebody else in the meantime: then it is to be asked again.
class Erp {
 public:
  explicit Erp(ShopDefect defect) : defect_(defect) {}

  Answer act(const std::string& activity, const nlohmann::json& request);

  // What is wrong with an order that is said to have ended so.
  std::vector<std::string> check_order(const std::string& order, const std::string& outcome) const;

 private:
  struct Order {
    int written = 0;
    std::vector<std::string> outcomes;
    bool in_conflict = true;  // somebody in the ERP changes it while its outcome is written for the first time
  };

  Answer push_outcome(Order& order, const std::string& id, const std::string& outcome);

  const ShopDefect defect_;
  std::map<std::string, Order> orders_;
};

}  // namespace skald::sim
