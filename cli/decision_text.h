#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "cli/console.h"

namespace skald::cli {

// What was decided, on one line: "risk 0.65, verdict review".
std::string output_text(const nlohmann::ordered_json& output);

// Who had, or has, the last word: "ida approved", "waits for a person", "rule (timeout)", "model".
std::string last_word(const nlohmann::ordered_json& decision);

// Tells one decision as a story: who asked what, what was sent, what came back, and who had the last word. `waiting` is
// what the workflow says of its open question, or null. Unless `full`, long texts are cut.
void tell_decision(const Console& console, const nlohmann::ordered_json& decision,
                   const nlohmann::ordered_json& waiting, bool full);

}  // namespace skald::cli
