#pragma once

#include <string>
#include <vector>

#include "temporal/api/history/v1/message.pb.h"

namespace skald::cli {

// A signal that its workflow could not read.
struct DroppedSignal {
  std::string event_id;
  std::string name;
  std::string reason;
};

// Those that this event tells of: a marker of Lua workflows. None in any other event.
std::vector<DroppedSignal> dropped_signals(const temporal::api::history::v1::HistoryEvent& event);

}  // namespace skald::cli
