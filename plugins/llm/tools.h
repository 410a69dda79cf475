#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "plugins/llm/redaction.h"
#include "plugins/llm/structured_output.h"

namespace skald::plugin::llm {

// An activity that a model may ask for.
struct Tool {
  std::string name;      // what the model calls it
  std::string activity;  // what it is
  std::string description;
  std::map<std::string, std::string> bound;  // argument -> path into the inputs; never the model's
  std::shared_ptr<const AnswerForm> form;    // of what the model fills in
};

// From a prompt's "tools"; throws std::invalid_argument with a sentence.
std::vector<Tool> read_tools(const nlohmann::json& list);

// As the endpoint wants to have them.
nlohmann::json offered(const std::vector<Tool>& tools);

// What a model asked for.
struct ToolCall {
  std::string id, name, arguments;
};

struct RefusedCall {
  std::string id, activity;
  nlohmann::json input;
  std::string why;
};

struct JudgedCalls {
  nlohmann::json allowed = nlohmann::json::array();  // [{id, activity, input}], with personal data and bound arguments
  std::vector<RefusedCall> refused;                  // as the model wrote them
  std::vector<RefusedCall> overruled;  // allowed, with another value for a bound argument than the model's
};

// What of it the workflow gets to see. Calls without an id of their own get one.
JudgedCalls judge(const std::vector<Tool>& tools, std::vector<ToolCall>& calls, const nlohmann::json& inputs,
                  const Redaction& redaction);

}  // namespace skald::plugin::llm
