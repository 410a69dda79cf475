#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "plugins/llm/prompts.h"
#include "plugins/sdk/context.h"

namespace skald::plugin::llm {

// What llm.decide is asked for, checked.
struct DecideRequest {
  std::string prompt, about, agent, reference;
  std::optional<int64_t> version;
  json inputs;
  json fallback;                // null: none
  std::string knowledge_query;  // what is searched for instead of what the prompt says; empty: nothing else
  std::optional<int64_t> knowledge_top;
  std::optional<std::chrono::milliseconds> timeout;
  int64_t round = 0;  // of the conversation that it continues; 0: it begins one
  json tool_results = json::array();

  std::string decision_id;
  std::string inputs_hash;
  std::string binding;  // another one is another decision
};

// Throws ActivityError "InvalidInput", "ConversationNotFound".
DecideRequest read_decide_request(const Context& context, const json& input);

// The rule's decision as the prompt's form has it: output, confidence and explanation in one object. Throws
// ActivityError "InvalidInput" if it does not fit.
json rule_decision(const DecideRequest& request, const Prompt& prompt);

}  // namespace skald::plugin::llm
