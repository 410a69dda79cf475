#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "tests/sim/answer.h"

namespace skald::sim {

// The model behind its plugin: it decides, is unsure, asks for tools, says what makes no sense, or leaves it to the
// rule; and it keeps the book of decisions. Which of that an order meets follows from the decision's id.
class Advisor {
 public:
  struct Decision {
    std::string id, about, agent;
    nlohmann::json answer;                // what it said
    nlohmann::json confirmed;             // {verdict, by, reason}; null: nobody has had the last word yet
    std::optional<absl::Time> asked_for;  // when a person was first asked
  };

  Advisor(ShopDefect defect, std::function<absl::Time()> now) : defect_(defect), now_(std::move(now)) {}

  // Called when a person is asked.
  void on_question(std::function<void(const Decision&)> hear) { hear_ = std::move(hear); }

  Answer act(const std::string& activity, const nlohmann::json& request);

  const Decision* find(const std::string& id) const;
  // What is wrong with the book, whatever became of the orders.
  std::vector<std::string> check_books() const;

 private:
  Answer decide(const nlohmann::json& request);
  Answer await_person(Decision& decision);
  Answer confirm(Decision& decision, const nlohmann::json& request);

  const ShopDefect defect_;
  const std::function<absl::Time()> now_;
  std::function<void(const Decision&)> hear_ = [](const Decision&) {};
  std::map<std::string, Decision> decisions_;
  std::vector<std::string> problems_;
};

}  // namespace skald::sim
