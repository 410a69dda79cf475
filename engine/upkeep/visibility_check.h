#pragma once

#include <string>

#include "engine/store/rows.h"
#include "engine/upkeep/known_namespaces.h"
#include "engine/upkeep/report.h"
#include "skald/state/v1/state.pb.h"

namespace skald::upkeep {

// Compares what list and count see of a run with its state; `stored` is null if there is no row. While a run is open,
// its row is written only when a column but the lengths and counts changes: those may lag.
void check_visibility(const store::VisibilityRow* stored, const skald::state::v1::RunState& state,
                      const KnownNamespaces& namespaces, const std::string& name, Report& report);

}  // namespace skald::upkeep
