#pragma once

#include <string>

#include "tests/bench/plugins/trial_books.h"

namespace skald::bench {

// Orders' effects by the product's own plugins: `callers` orders at a time, each reserves, pays, ships and confirms.
// Prints a line an activity. `plugins` is the folder of the plugins.
void measure_activities(TrialBooks& books, const std::string& plugins, int callers, int orders);

}  // namespace skald::bench
