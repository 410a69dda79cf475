#include "tests/sim/erp.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

namespace skald::sim {

using nlohmann::json;

Answer Erp::act(const std::string& activity, const json& request) {
  const std::string id = request.at("order_id");
  const auto found = orders_.find(id);
  if (activity == "erp.order" && found != orders_.end())
    return json{{"order_id", id}, {"state", found->second.outcomes.empty() ? "open" : found->second.outcomes.back()}};
  if (activity == "erp.order") return Refusal{"OrderUnknown", id};
  if (activity == "erp.push_outcome") return push_outcome(orders_[id], id, request.at("outcome"));
  if (activity != "erp.push_order") return Refusal{"NoSuchActivity", activity};
  Order& order = orders_[id];
  if (order.written == 0 || defect_ == ShopDefect::kErpForgetsIdempotency) ++order.written;
  return json{{"erp_id", "SO-" + id}, {"version", 1}};
}

Answer Erp::push_outcome(Order& order, const std::string& id, const std::string& outcome) {
  if (order.written == 0) return Refusal{"OrderUnknown", "the outcome comes before the order " + id};
  if (std::exchange(order.in_conflict, false) && std::hash<std::string>()(id) % 5 == 0)
    return Refusal{"ErpConflictStorm", "the order " + id + " changes faster than it can be written", false};
  auto& outcomes = order.outcomes;
  const bool told = std::find(outcomes.begin(), outcomes.end(), outcome) != outcomes.end();
  if (!told || defect_ == ShopDefect::kErpForgetsIdempotency) outcomes.push_back(outcome);
  return json{{"erp_id", "SO-" + id}, {"version", 1 + outcomes.size()}};
}

std::vector<std::string> Erp::check_order(const std::string& id, const std::string& outcome) const {
  const auto found = orders_.find(id);
  if (found == orders_.end()) return {id + ": the ERP does not know of it"};
  const Order& order = found->second;
  std::vector<std::string> problems;
  if (order.written != 1) problems.push_back(fmt::format("{}: the ERP has it {} times", id, order.written));
  auto outcomes = order.outcomes;
  std::sort(outcomes.begin(), outcomes.end());
  if (std::adjacent_find(outcomes.begin(), outcomes.end()) != outcomes.end())
    problems.push_back(fmt::format("{}: the ERP has an outcome twice: {}", id, fmt::join(order.outcomes, ", ")));
  if (order.outcomes.empty() || order.outcomes.back() != outcome) {
    problems.push_back(fmt::format("{} is {}, but the ERP says '{}'", id, outcome,
                                   order.outcomes.empty() ? "" : order.outcomes.back()));
  }
  return problems;
}

}  // namespace skald::sim
