#pragma once

#include <map>
#include <string>

#include "samples/demo/day.h"
#include "samples/demo/intake.h"

namespace skald::demo {

// Prints how the day went: outcomes, compensations, books, what was killed (how often, by name), speed. `audit` is the
// result of the workflow ledger_audit. True if the books balance and agree with the orders.
bool print_report(const Intake& intake, const Day& day, const std::string& audit,
                  const std::map<std::string, int>& killed);

}  // namespace skald::demo
