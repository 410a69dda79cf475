#pragma once

#include <string>
#include <vector>

#include "engine/store/contents.h"
#include "engine/upkeep/known_namespaces.h"
#include "engine/upkeep/report.h"
#include "skald/state/v1/state.pb.h"

namespace skald::upkeep {

// Looks at all messages: each can be read, was sent by a run that there is, and has somewhere to go.
absl::Status check_outbox(store::Contents& contents, const KnownNamespaces& namespaces, Report& report);

// A run that waits for the answer to a message.
struct Awaited {
  std::string message_id;
  std::string sentence;  // that says who waits for what
};
// The messages whose answers this run waits for.
void add_awaited(const skald::state::v1::RunState& state, const std::string& name, std::vector<Awaited>& awaited);
// They must be in the outbox until they are answered.
absl::Status check_awaited(store::Contents& contents, const std::vector<Awaited>& awaited, Report& report);

}  // namespace skald::upkeep
