#pragma once

#include <optional>
#include <string>

#include "temporal/api/enums/v1/command_type.pb.h"
#include "temporal/api/history/v1/message.pb.h"

namespace skald::lua {

// The event that a command will come back as, and where in the script it came from: what replay is compared with.
struct ExpectedEvent {
  temporal::api::enums::v1::CommandType type{};
  std::string id;    // activity, timer or workflow id; for cancelling an activity the id of its event
  std::string name;  // activity or workflow type, signal or marker name
  std::string place;
  uint32_t operation = 0;
};

// The command that causes such an event; nullopt if no command does.
std::optional<ExpectedEvent> command_of(const temporal::api::history::v1::HistoryEvent& event);

// Whether the command the script gave causes this event.
bool matches(const ExpectedEvent& given, const ExpectedEvent& recorded);

// "event 11 is ActivityTaskScheduled (activity 2, payment.capture), but the workflow started a timer (timer 1) at
// order.lua:41"
std::string mismatch(const temporal::api::history::v1::HistoryEvent& event, const ExpectedEvent& recorded,
                     const ExpectedEvent* given);
// The script gave a command that history does not have before this event.
std::string surplus(const ExpectedEvent& given, int64_t before_event_id);

}  // namespace skald::lua
