#pragma once

#include <set>
#include <string>

#include "samples/demo/intake.h"

namespace skald::demo {

// What goes wrong in the sample merchant's day, by rule, so that every run shows the same: each step fails for some
// orders, loses its answer or is slow for others. Fills the orders' sandboxes; returns the orders whose customers
// cancel.
std::set<std::string> add_troubles(Intake& intake);

// `count` orders of an invented shop for tea and crockery, the same every time, as rows of the CSV that `take_in`
// reads.
std::string merchant_csv(int count);

}  // namespace skald::demo
