#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugins/llm/endpoint.h"
#include "plugins/llm/knowledge.h"
#include "plugins/llm/meter.h"
#include "plugins/llm/prompts.h"
#include "plugins/llm/redaction.h"

namespace skald::plugin::llm {

// What was said about one decision, and what it cost. All of `messages` is redacted: it is what leaves.
struct Dialogue {
  explicit Dialogue(const RedactionRules& rules) : redaction(rules) {}

  json messages = json::array();
  Redaction redaction;
  json refusals = json::array();   // [{activity, input, why}], redacted
  json overruled = json::array();  // likewise: calls that were let through with the workflow's arguments
  json sources = json::array();    // passages that were shown, without their text
  int64_t rounds = 0;              // in which tools were asked for
  bool repaired = false;
  std::string model;  // that answered, as the endpoint calls it
  TokenUse tokens;
  int64_t cost_micros = 0, requests = 0, latency_ms = 0;

  json save() const;
  void load(const json& saved);
};

// The first two messages. `inputs` and the passages are redacted here; no passages at all: nothing was searched for.
void open_dialogue(Dialogue& dialogue, const Prompt& prompt, const json& inputs,
                   const std::optional<std::vector<Passage>>& passages);

// What the model is asked next. Whatever shapes its answer is in it.
ChatQuestion question_for(const Dialogue& dialogue, const Prompt& prompt, const Settings& settings);

// Adds the results of tools: [{id, result}] or [{id, error}], one for each of `calls`. Throws ActivityError
// "InvalidInput".
void add_tool_results(Dialogue& dialogue, const json& calls, const json& results);

// What a model's turn has led to.
struct Turn {
  json tool_calls = json::array();  // [{id, activity, input}]; empty: it has decided
  json decision;                    // fits the prompt's form; redacted
};

// Asks the model until it has decided, or asks for tools that it may have. What is refused to it, it is told; an answer
// that has not the form is repaired once. Throws Trouble. All that is named lives until it has ended.
Async<Turn> next_turn(Context& context, Dialogue& dialogue, const Prompt& prompt, const json& inputs,
                      const Settings& settings, const Endpoint& endpoint, Meter& meter,
                      Endpoint::Clock::time_point until);

// What a call is expected to use at most: the question, about three bytes a token, and the longest answer.
TokenUse expected_use(size_t question_bytes, int64_t max_tokens);

}  // namespace skald::plugin::llm
