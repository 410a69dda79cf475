#pragma once

#include <functional>
#include <string>

#include "temporal/api/history/v1/message.pb.h"

#include "cli/command.h"

namespace skald::cli {

// The event that closed a run, and which run it closed.
struct Close {
  temporal::api::history::v1::HistoryEvent event;
  std::string run_id;  // empty if nobody named it
};

// Whether an event closes its run.
bool closes(const temporal::api::history::v1::HistoryEvent& event);

// The run that goes on where this event closed one: continued as new, retried, or the next of a cron. Empty if none.
std::string successor(const temporal::api::history::v1::HistoryEvent& event);

// Waits until the workflow closes, from run to run, and gives the last run's end.
Outcome wait_for_close(Session& session, const Target& target, Close& close);

// The run's last event; the closing one if it is closed. Does not wait.
Outcome read_last_event(Session& session, const Target& target, temporal::api::history::v1::HistoryEvent& event);

// Reads the run's history page by page, one call of `take` for each event. If `follow`, waits for more until the run
// closes.
Outcome read_history(Session& session, const Target& target, bool follow,
                     const std::function<void(temporal::api::history::v1::HistoryEvent&)>& take);

}  // namespace skald::cli
