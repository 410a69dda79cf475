#pragma once

#include <string>

#include "cli/console.h"
#include "cli/history.h"

namespace skald::cli {

// How a run ended.
struct Ending {
  bool completed = false;
  std::string status;   // as in lists: Completed, TimedOut
  std::string summary;  // the result, or why there is none, on one line
  std::string detail;   // the whole of it: the result, or the failure and its causes over several lines
};

Ending ending(const temporal::api::history::v1::HistoryEvent& close);

// Green for what went well, red for what failed.
Colour status_colour(const std::string& status);

// Prints the result of a workflow that closed; ok only if it completed.
Outcome report(const Session& session, const std::string& workflow_id, const Close& close);

}  // namespace skald::cli
