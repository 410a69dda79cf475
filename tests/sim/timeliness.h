#pragma once

#include <string>

#include "temporal/api/history/v1/message.pb.h"

#include "tests/sim/auditor.h"

namespace skald::sim {

// Tells the auditor what came late in a run's history, too early, or failed: workflow tasks, timers, and what is said to
// other runs.
void inspect_timeliness(const std::string& workflow_id, const temporal::api::history::v1::History& history,
                        Auditor& auditor);

}  // namespace skald::sim
