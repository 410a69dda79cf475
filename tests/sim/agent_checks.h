#pragma once

#include <string>
#include <vector>

#include "temporal/api/history/v1/message.pb.h"
#include <nlohmann/json.hpp>

#include "tests/sim/clerks.h"
#include "tests/sim/shop.h"

namespace skald::sim {

// What is wrong with an order that had agents beside it, from its result and its history: the ERP has its outcome, each
// of its decisions is in the book, the person who was heard first had the last word, and nothing was paid that was
// refused before.
std::vector<std::string> check_agents(const std::string& order, const nlohmann::json& result,
                                      const temporal::api::history::v1::History& history, const Shop& shop,
                                      const Clerks& clerks);

}  // namespace skald::sim
