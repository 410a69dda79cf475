#pragma once

#include <optional>

#include "engine/store/contents.h"
#include "engine/upkeep/known_namespaces.h"
#include "engine/upkeep/report.h"
#include "skald/state/v1/state.pb.h"

namespace skald::upkeep {

using RunState = skald::state::v1::RunState;

// Looks at a run by itself: its state can be read and agrees with itself, and the columns are what the state says.
// Returns the state; nothing if it cannot be read.
std::optional<RunState> check_run(const store::StoredRun& run, const KnownNamespaces& namespaces, Report& report);

bool is_open(int status);

}  // namespace skald::upkeep
