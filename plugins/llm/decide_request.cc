#include "plugins/llm/decide_request.h"

#include "plugins/llm/conversation.h"
#include "plugins/llm/decisions.h"
#include "plugins/llm/sha256.h"
#include "plugins/sdk/effect_ledger.h"
#include "plugins/sdk/fields.h"

namespace skald::plugin::llm {

namespace {

constexpr int64_t kLongestTimeoutMs = 86400000;

std::string bounded(const json& input, const char* field, size_t most_bytes) {
  std::string text = required_text(input, field);
  if (text.size() > most_bytes)
    refuse_input(std::string(field) + " must have at most " + std::to_string(most_bytes) + " bytes");
  return text;
}

}  // namespace

DecideRequest read_decide_request(const Context& context, const json& input) {
  DecideRequest request;
  request.prompt = required_text(input, "prompt");
  if (has_field(input, "version")) request.version = whole_number(input, "version", 1, INT64_MAX / 2);
  request.about = bounded(input, "about", 1000);
  request.agent = bounded(input, "agent", 255);
  request.reference = optional_text(input, "reference");
  request.inputs = required_field(input, "inputs");
  // Some languages have one empty list for both.
  if (request.inputs.is_array() && request.inputs.empty()) request.inputs = json::object();
  if (!request.inputs.is_object()) refuse_input("inputs must be an object", request.inputs);
  if (has_field(input, "fallback")) {
    request.fallback = input["fallback"];
    if (!required_field(request.fallback, "output", "fallback.").is_object())
      refuse_input("fallback.output must be an object");
  }
  if (has_field(input, "knowledge")) {
    request.knowledge_query = required_text(input["knowledge"], "query", "knowledge.");
    if (has_field(input["knowledge"], "top"))
      request.knowledge_top = whole_number(input["knowledge"], "top", 1, 50, "knowledge.");
  }
  if (has_field(input, "timeout_ms"))
    request.timeout = std::chrono::milliseconds(whole_number(input, "timeout_ms", 1, kLongestTimeoutMs));
  request.decision_id =
      decision_id(context.namespace_name, context.workflow_id, request.agent, request.about, request.reference);
  request.inputs_hash = sha256(request.inputs.dump());
  request.binding = effect_key({request.prompt, request.inputs_hash, request.knowledge_query});
  if (has_field(input, "continues")) {
    const std::string conversation = required_text(input, "continues");
    request.round = round_of(conversation, request.decision_id);
    if (request.round == 0) {
      throw ActivityError("ConversationNotFound",
                          "decision " + request.decision_id + " has no conversation " + conversation, true);
    }
    request.tool_results = required_list(input, "tool_results");
  }
  return request;
}

json rule_decision(const DecideRequest& request, const Prompt& prompt) {
  if (request.fallback.is_null()) return nullptr;
  json decision = request.fallback["output"];
  const std::string explanation = optional_text(request.fallback, "explanation");
  const json confidence = has_field(request.fallback, "confidence") ? request.fallback["confidence"] : json(1);
  decision["confidence"] = confidence;
  decision["explanation"] = explanation.empty() ? "by rule" : explanation;
  const std::string problems = prompt.form->problems(decision);
  if (!problems.empty()) refuse_input("fallback does not fit the schema of prompt " + prompt.name + ": " + problems);
  return decision;
}

}  // namespace skald::plugin::llm
