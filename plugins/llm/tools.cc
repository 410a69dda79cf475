#include "plugins/llm/tools.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

#include "plugins/llm/prompt_template.h"

namespace skald::plugin::llm {
namespace {

using nlohmann::json;

constexpr size_t kMostCalls = 16;  // of one answer

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string default_name(std::string activity) {
  std::replace(activity.begin(), activity.end(), '.', '_');
  return activity;
}

Tool read_tool(const json& spec, const std::string& where) {
  for (const auto& [key, value] : spec.items()) {
    if (key != "activity" && key != "name" && key != "description" && key != "input" && key != "bound")
      throw std::invalid_argument(where + ": there is no key \"" + key + "\"");
  }
  Tool tool;
  if (!spec.contains("activity") || !spec["activity"].is_string() || spec["activity"].empty())
    throw std::invalid_argument(where + " needs \"activity\", the name of one");
  tool.activity = spec["activity"];
  tool.name = spec.value("name", default_name(tool.activity));
  tool.description = spec.value("description", "");
  if (!is_name(tool.name))
    throw std::invalid_argument(where + ": \"name\" must have letters, digits, _ and - only: not " + tool.name);
  json schema = spec.value("input", json::object());
  schema["type"] = "object";
  if (!schema.contains("properties")) schema["properties"] = json::object();
  if (!schema.contains("additionalProperties")) schema["additionalProperties"] = false;
  const json bound = spec.value("bound", json::object());
  for (const auto& [argument, path] : bound.items()) {
    if (schema["properties"].contains(argument))
      throw std::invalid_argument(where + ": " + argument + " is bound, so leave it out of \"input\"");
    if (!path.is_string() || !is_input_path(path.get<std::string>()))
      throw std::invalid_argument(where + ": " + argument + " must be bound to a path such as inputs.order.id");
    tool.bound[argument] = path;
  }
  tool.form = std::make_shared<AnswerForm>(std::move(schema));
  return tool;
}

struct Verdict {
  json input;
  std::string why;  // not empty: refused
  std::string overruled;
};

Verdict judge_one(const std::vector<Tool>& tools, const ToolCall& call, const json& inputs, const Redaction& redaction,
                  const Tool*& tool) {
  const auto found = std::find_if(tools.begin(), tools.end(), [&](const Tool& t) { return t.name == call.name; });
  const json said = call.arguments.empty() ? json::object() : json::parse(call.arguments, nullptr, false);
  Verdict verdict{said.is_discarded() ? json(call.arguments) : said, "", ""};
  tool = found == tools.end() ? nullptr : &*found;
  if (tool == nullptr) {
    verdict.why = "there is no such tool";
  } else if (!said.is_object()) {
    verdict.why = "the arguments are not a JSON object";
  } else {
    json own = redaction.restore(said);
    for (const auto& [argument, path] : tool->bound) {
      const json* value = value_at(inputs, path);
      if (own.contains(argument) && (value == nullptr || own[argument] != *value))
        verdict.overruled += (verdict.overruled.empty() ? "" : ", ") + argument;
      own.erase(argument);
    }
    verdict.why = tool->form->problems(own);
    if (!verdict.why.empty()) return verdict;
    for (const auto& [argument, path] : tool->bound) {
      const json* value = value_at(inputs, path);
      if (value != nullptr) own[argument] = *value;
    }
    verdict.input = std::move(own);
  }
  return verdict;
}

}  // namespace

std::vector<Tool> read_tools(const json& list) {
  std::vector<Tool> tools;
  if (!list.is_array()) throw std::invalid_argument("\"tools\" must be a list");
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string where = "tools[" + std::to_string(i) + "]";
    if (!list[i].is_object()) throw std::invalid_argument(where + " must be an object");
    Tool tool = read_tool(list[i], where);
    for (const Tool& other : tools) {
      if (other.name == tool.name)
        throw std::invalid_argument(where + ": there is a tool " + tool.name + " already: give one a \"name\"");
    }
    tools.push_back(std::move(tool));
  }
  return tools;
}

json offered(const std::vector<Tool>& tools) {
  json list = json::array();
  for (const Tool& tool : tools) {
    list.push_back(
        {{"type", "function"},
         {"function", {{"name", tool.name}, {"description", tool.description}, {"parameters", tool.form->schema()}}}});
  }
  return list;
}

JudgedCalls judge(const std::vector<Tool>& tools, std::vector<ToolCall>& calls, const json& inputs,
                  const Redaction& redaction) {
  JudgedCalls out;
  std::set<std::string> ids;
  for (size_t i = 0; i < calls.size(); ++i) {
    ToolCall& call = calls[i];
    if (call.id.empty() || !ids.insert(call.id).second) {
      call.id = "call_" + std::to_string(i + 1) + "_of_" + std::to_string(calls.size());
      ids.insert(call.id);
    }
    const Tool* tool = nullptr;
    Verdict verdict = judge_one(tools, call, inputs, redaction, tool);
    if (verdict.why.empty() && i >= kMostCalls) verdict.why = "too many calls at once";
    const std::string activity = tool == nullptr ? call.name : tool->activity;
    if (!verdict.why.empty()) {
      out.refused.push_back({call.id, activity, std::move(verdict.input), std::move(verdict.why)});
      continue;
    }
    if (!verdict.overruled.empty()) {
      out.overruled.push_back({call.id, activity, json::parse(call.arguments, nullptr, false),
                               "bound, so the workflow's own value was taken: " + verdict.overruled});
    }
    out.allowed.push_back({{"id", call.id}, {"activity", activity}, {"input", std::move(verdict.input)}});
  }
  return out;
}

}  // namespace skald::plugin::llm
