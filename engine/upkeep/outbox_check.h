#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/store/contents.h"
#include "engine/upkeep/known_namespaces.h"
#include "engine/upkeep/report.h"
#include "skald/state/v1/state.pb.h"

namespace skald::upkeep {

// Runs that wait for their parent to record that it started them, by run id.
struct WaitingChild {
  std::string name;
  store::RunKey parent;
  int64_t initiated_event_id = 0;
};
using WaitingChildren = std::map<std::string, WaitingChild>;
void add_waiting(const skald::state::v1::RunState& state, const std::string& name, WaitingChildren& waiting);

// Looks at all messages: each can be read, was sent by a run that there is, and has somewhere to go. And what runs wait
// for is under way: a child that waits is known to its parent as not started, or the parent's word is in the outbox.
absl::Status check_outbox(store::Contents& contents, const KnownNamespaces& namespaces, WaitingChildren waiting,
                          Report& report);

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
