#include "plugins/llm/structured_output.h"

#include <stdexcept>
#include <utility>

namespace skald::plugin::llm {
namespace {

using nlohmann::json;

std::optional<json> parsed(std::string_view text) {
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

std::string_view inside_fence(std::string_view text) {
  constexpr std::string_view kFence = "```";
  const size_t open = text.find(kFence);
  if (open == std::string_view::npos) return {};
  const size_t begin = text.find('\n', open);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find(kFence, begin) - begin);
}

}  // namespace

std::optional<json> find_json(std::string_view text) {
  if (auto whole = parsed(text)) return whole;
  if (const std::string_view fenced = inside_fence(text); !fenced.empty()) {
    if (auto value = parsed(fenced)) return value;
  }
  const size_t begin = text.find('{'), end = text.rfind('}');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return std::nullopt;
  return parsed(text.substr(begin, end - begin + 1));
}

json decision_schema(const json& authors) {
  if (!authors.is_object() || authors.value("type", json("object")) != "object")
    throw std::invalid_argument("it must describe an object");
  json schema = authors;
  schema["type"] = "object";
  json& properties = schema["properties"];
  if (properties.is_null()) properties = json::object();
  json& required = schema["required"];
  if (required.is_null()) required = json::array();
  if (!properties.is_object() || !required.is_array())
    throw std::invalid_argument("`properties` must be an object, and `required` a list");
  if (properties.contains("confidence") || properties.contains("explanation"))
    throw std::invalid_argument("confidence and explanation are added by the plugin: leave them out");
  properties["confidence"] = {
      {"type", "number"}, {"minimum", 0}, {"maximum", 1}, {"description", "how sure you are, from 0 to 1"}};
  properties["explanation"] = {{"type", "string"}, {"minLength", 1}, {"description", "why, in one to three sentences"}};
  required.push_back("confidence");
  required.push_back("explanation");
  if (!schema.contains("additionalProperties")) schema["additionalProperties"] = false;
  return schema;
}

AnswerForm::AnswerForm(json schema) : schema_(std::move(schema)), compiled_(std::make_unique<JsonSchema>(schema_)) {}

std::string AnswerForm::problems(const json& value) const {
  std::string lines;
  for (const SchemaError& error : compiled_->check(value))
    lines +=
        (lines.empty() ? "" : "\n") + (error.pointer.empty() ? "the answer" : error.pointer) + ": " + error.message;
  return lines;
}

CheckedAnswer check_answer(std::string_view text, const AnswerForm& form) {
  auto value = find_json(text);
  if (!value) return {nullptr, "the answer is not JSON"};
  std::string problems = form.problems(*value);
  return {std::move(*value), std::move(problems)};
}

std::string repair_request(const std::string& problems) {
  return "Your answer does not have the form that was asked for:\n" + problems +
         "\nAnswer again: with one JSON object that fits the schema, and nothing else.";
}

}  // namespace skald::plugin::llm
