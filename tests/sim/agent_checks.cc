#include "tests/sim/agent_checks.h"

#include <algorithm>

#include <fmt/core.h>

namespace skald::sim {
namespace {

using nlohmann::json;
using temporal::api::history::v1::History;

struct Heard {
  std::string by, verdict;
};

// The answers to this decision, in the order in which they were heard.
std::vector<Heard> heard_of(const History& history, const std::string& decision) {
  std::vector<Heard> answers;
  for (const auto& event : history.events()) {
    const auto& signal = event.workflow_execution_signaled_event_attributes();
    if (signal.signal_name() != "decide") continue;
    const json word = json::parse(signal.input().payloads(0).data());
    const std::string verdict = word.at("verdict");
    if (word.at("decision_id") == decision && (verdict == "approved" || verdict == "rejected"))
      answers.push_back({word.at("by"), verdict});
  }
  return answers;
}

class DecisionInspection {
 public:
  DecisionInspection(std::string order, const History& history, const Shop& shop, const Clerks& clerks)
      : order_(std::move(order)), history_(history), shop_(shop), clerks_(clerks) {}

  std::vector<std::string> inspect(const json& result) {
    inspect_erp(result);
    for (const json& entry : result.at("decisions")) {
      if (entry.at("agent") == "risk" && entry.at("outcome") == "rejected" && shop_.was_charged(order_))
        report("was charged, although it was rejected before");
      // What not even the book heard of the rule decided.
      if (entry.contains("decision_id")) inspect_decision(entry);
    }
    return std::move(problems_);
  }

 private:
  void report(const std::string& problem) { problems_.push_back(order_ + " " + problem); }

  void inspect_erp(const json& result) {
    if (result.at("erp") != "written") report("is not written to the ERP: " + result.at("erp").get<std::string>());
    const bool returned = result.contains("after_sales") && result.at("after_sales").at("remedy") == "refund";
    for (std::string& problem :
         shop_.erp().check_order(order_, returned ? "returned" : result.at("outcome").get<std::string>()))
      problems_.push_back(std::move(problem));
  }

  void inspect_decision(const json& entry) {
    const std::string id = entry.at("decision_id");
    const Advisor::Decision* decision = shop_.advisor().find(id);
    if (decision == nullptr) return report("has a decision that is in no book: " + id);
    if (decision->about != order_ || decision->agent != entry.at("agent"))
      report("has a decision of another one: " + id);
    if (decision->asked_for) inspect_last_word(*decision, entry);
  }

  void inspect_last_word(const Advisor::Decision& decision, const json& entry) {
    if (decision.confirmed.is_null()) return report("has a question that is still open: " + decision.id);
    const std::string by = decision.confirmed.at("by"), verdict = decision.confirmed.at("verdict");
    if (by != entry.at("by")) report(fmt::format("was decided by {}, the book says {}", entry.at("by").dump(), by));
    const auto heard = heard_of(history_, decision.id);
    if (by == "rule") {
      const auto& words = clerks_.words(decision.id);
      const bool in_time = std::any_of(words.begin(), words.end(), [&](const Clerks::Word& word) {
        return word.acknowledged && *word.acknowledged < *decision.asked_for + Clerks::kPatience;
      });
      if (in_time)
        report("was decided by the rule, although somebody's answer was acknowledged in time: " + decision.id);
    } else if (heard.empty() || heard.front().by != by ||
               (heard.front().verdict == "approved") == (verdict == "rejected")) {
      report(fmt::format("was {} by {}, but somebody else was heard first: {}", verdict, by, decision.id));
    }
    if (decision.agent == "risk" && (verdict == "rejected") != (entry.at("outcome") == "rejected"))
      report(fmt::format("was {}, and yet it is {}", verdict, entry.at("outcome").dump()));
  }

  const std::string order_;
  const History& history_;
  const Shop& shop_;
  const Clerks& clerks_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> check_agents(const std::string& order, const json& result, const History& history,
                                      const Shop& shop, const Clerks& clerks) {
  return DecisionInspection(order, history, shop, clerks).inspect(result);
}

}  // namespace skald::sim
