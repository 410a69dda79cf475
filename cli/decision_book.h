#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "cli/command.h"

namespace skald::cli {

// Asks the workflow `decision_book`, which any worker of this queue may run, and gives what it answers. A decision that
// is not there is told as such.
Outcome ask_book(Session& session, const std::string& task_queue, const nlohmann::ordered_json& question,
                 nlohmann::ordered_json& answer);

}  // namespace skald::cli
