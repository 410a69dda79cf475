#include "tests/sim/advisor.h"

#include <array>

#include <fmt/core.h>

namespace skald::sim {
namespace {

using nlohmann::json;

constexpr std::array kRuleReasons = {"timeout", "invalid_output", "refused", "budget", "unavailable"};

// A number below `end` that follows from the id; `which` tells several of one id apart.
uint64_t roll(const std::string& id, const char* which, uint64_t end) {
  return std::hash<std::string>()(id + which) % end;
}

json said(json output, double confidence) {
  return {
      {"output", std::move(output)}, {"confidence", confidence}, {"source", "model"}, {"explanation", "it says so"}};
}

json by_rule(const json& request, const std::string& id) {
  json answer = said(request.at("fallback").at("output"), 1.0);
  answer["source"] = "rule";
  answer["reason"] = kRuleReasons[roll(id, "reason", kRuleReasons.size())];
  return answer;
}

json assess_risk(const json& request, const std::string& id) {
  const auto chance = roll(id, "answer", 100);
  if (chance < 35) return said({{"verdict", "approve"}, {"risk", 0.2}}, 0.95);
  if (chance < 50) return said({{"verdict", "approve"}, {"risk", 0.3}}, 0.4);  // not sure
  if (chance < 65) return said({{"verdict", "review"}, {"risk", 0.6}}, 0.9);
  if (chance < 75) return said({{"verdict", "reject"}, {"risk", 0.95}}, 0.9);
  if (chance < 85) return said({{"verdict", "reject"}, {"risk", 0.6}}, 0.9);
  return by_rule(request, id);
}

json choose_parcel(const json& request, const std::string& id) {
  const json& candidates = request.at("inputs").at("candidates");
  const auto chance = roll(id, "answer", 100);
  if (chance < 60) return said({{"choice", candidates.at(roll(id, "choice", candidates.size())).at("id")}}, 0.9);
  if (chance < 75) return said({{"choice", "a warehouse that is not there"}}, 0.9);
  return by_rule(request, id);
}

json make_good(const json& request, const std::string& id) {
  const int64_t total = request.at("inputs").at("order").at("total");
  const auto chance = roll(id, "answer", 100);
  if (chance < 25) return said({{"remedy", "refund"}, {"amount", total}}, 0.9);
  if (chance < 45) return said({{"remedy", "reship"}}, 0.9);
  if (chance < 60) return said({{"remedy", "discount"}, {"amount", std::max<int64_t>(1, total / 5)}}, 0.9);
  if (chance < 70) return said({{"remedy", "discount"}, {"amount", total * 2}}, 0.9);  // makes no sense
  if (chance < 80) return said({{"remedy", "refund"}, {"amount", total}}, 0.3);        // not sure
  return by_rule(request, id);
}

}  // namespace

Answer Advisor::act(const std::string& activity, const json& request) {
  if (activity == "llm.decide") return decide(request);
  const auto found = decisions_.find(request.at("decision_id"));
  if (found == decisions_.end()) return Refusal{"DecisionNotFound", request.at("decision_id")};
  if (activity == "llm.await_person") return await_person(found->second);
  if (activity == "llm.confirm") return confirm(found->second, request);
  if (activity == "llm.decision") return json{{"decision_id", found->first}, {"confirmed", found->second.confirmed}};
  return Refusal{"NoSuchActivity", activity};
}

Answer Advisor::decide(const json& request) {
  const std::string about = request.at("about"), agent = request.at("agent");
  std::string id = fmt::format("{}/{}/{}", about, agent, request.at("reference").get<std::string>());
  const auto known = decisions_.find(id);
  if (known != decisions_.end() && defect_ != ShopDefect::kForgetsDecisions) return known->second.answer;
  if (known != decisions_.end()) id += fmt::format("/{}", decisions_.size());
  const bool uses_tools = agent != "dispatch" && roll(id, "tools", 3) == 0;
  if (uses_tools && !request.contains("continues")) {
    json calls = {{{"id", "1"}, {"activity", "payment.refund"}, {"input", {{"order_id", about}, {"amount", 1}}}}};
    calls.push_back({{"id", "2"},
                     {"activity", agent == "risk" ? "erp.order" : "logistics.track"},
                     {"input", {{"order_id", about}}}});
    return json{{"conversation", id}, {"tool_calls", std::move(calls)}};
  }
  if (uses_tools && !request.at("tool_results").at(0).contains("error"))
    problems_.push_back(id + ": a tool was run that its agent has not");
  Decision& decision = decisions_[id];
  decision = {id, about, agent, {}, {}, {}};
  decision.answer = agent == "risk"       ? assess_risk(request, id)
                    : agent == "dispatch" ? choose_parcel(request, id)
                                          : make_good(request, id);
  decision.answer["decision_id"] = id;
  return decision.answer;
}

Answer Advisor::await_person(Decision& decision) {
  const bool is_new = decision.confirmed.is_null() && !decision.asked_for;
  if (is_new) decision.asked_for = now_();
  if (is_new) hear_(decision);
  return json{{"decision_id", decision.id}, {"status", decision.confirmed.is_null() ? "open" : "confirmed"}};
}

Answer Advisor::confirm(Decision& decision, const json& request) {
  json word = {{"verdict", request.at("verdict")}, {"by", request.at("by")}};
  if (defect_ == ShopDefect::kForgetsWhoDecided) word["by"] = "rule";
  if (!decision.confirmed.is_null() && decision.confirmed != word)
    return Refusal{"AlreadyConfirmed", decision.confirmed.at("by").get<std::string>() + " has decided already"};
  decision.confirmed = std::move(word);
  return decision.confirmed;
}

const Advisor::Decision* Advisor::find(const std::string& id) const {
  const auto found = decisions_.find(id);
  return found == decisions_.end() ? nullptr : &found->second;
}

std::vector<std::string> Advisor::check_books() const {
  std::vector<std::string> problems = problems_;
  std::map<std::string, int> recorded;
  for (const auto& [id, decision] : decisions_) {
    if (++recorded[decision.about + ": " + decision.agent] == 2)
      problems.push_back(fmt::format("{}: its {} agent's decision is recorded twice", decision.about, decision.agent));
  }
  return problems;
}

}  // namespace skald::sim
