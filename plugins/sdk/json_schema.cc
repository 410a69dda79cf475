#include "plugins/sdk/json_schema.h"

#include <regex>
#include <stdexcept>
#include <utility>

#define VALIJSON_USE_EXCEPTIONS 1
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "plugins/sdk/schema_sentence.h"

namespace skald::plugin {
namespace {

using nlohmann::json;

constexpr int kDeepest = 200;
constexpr size_t kLongestMatched = 10000;  // std::regex recurses with the length of its subject

// "<root>", "[limits]", "[0]" without the root and the brackets.
std::vector<std::string> path_of(const std::vector<std::string>& context) {
  std::vector<std::string> path;
  for (size_t i = 1; i < context.size(); ++i) path.push_back(context[i].substr(1, context[i].size() - 2));
  return path;
}

bool too_deep(const json& value, int depth = 0) {
  if (!value.is_structured()) return false;
  if (depth >= kDeepest) return true;
  for (const json& inner : value) {
    if (too_deep(inner, depth + 1)) return true;
  }
  return false;
}

// Whether texts are matched against patterns. Throws std::regex_error when one is none.
bool matches_patterns(const json& schema) {
  bool any = false;
  if (schema.is_object() && schema.contains("pattern") && schema["pattern"].is_string()) {
    const std::regex checked(schema["pattern"].get_ref<const std::string&>());
    any = true;
  }
  if (schema.is_object() && schema.contains("patternProperties")) any = true;
  if (!schema.is_structured()) return false;
  for (const json& inner : schema) any = matches_patterns(inner) || any;
  return any;
}

bool has_text_longer_than(const json& value, size_t most) {
  if (value.is_string()) return value.get_ref<const std::string&>().size() > most;
  if (!value.is_structured()) return false;
  for (const json& inner : value) {
    if (has_text_longer_than(inner, most)) return true;
  }
  return false;
}

}  // namespace

struct JsonSchema::Compiled {
  json text;
  valijson::Schema schema;
  bool matches = false;  // texts against patterns
};

JsonSchema::JsonSchema(const json& schema) : compiled_(std::make_unique<Compiled>()) {
  if (!schema.is_object() && !schema.is_boolean()) throw std::invalid_argument("a JSON Schema is a JSON object");
  if (too_deep(schema)) throw std::invalid_argument("the JSON Schema is nested too deeply");
  compiled_->text = schema;
  try {
    compiled_->matches = matches_patterns(schema);
    const valijson::adapters::NlohmannJsonAdapter adapter(compiled_->text);
    valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(adapter, compiled_->schema);
  } catch (const std::exception& e) {
    throw std::invalid_argument(std::string("this is no JSON Schema of draft 7: ") + e.what());
  }
}

JsonSchema::JsonSchema(JsonSchema&&) noexcept = default;
JsonSchema& JsonSchema::operator=(JsonSchema&&) noexcept = default;
JsonSchema::~JsonSchema() = default;

std::vector<SchemaError> JsonSchema::check(const json& value) const {
  if (too_deep(value)) return {{"", "is nested too deeply"}};
  if (compiled_->matches && has_text_longer_than(value, kLongestMatched))
    return {{"", "has a text of more than " + std::to_string(kLongestMatched) + " characters"}};
  valijson::Validator validator;
  valijson::ValidationResults results;
  try {
    const valijson::adapters::NlohmannJsonAdapter target(value);
    if (validator.validate(compiled_->schema, target, &results)) return {};
  } catch (const std::exception& e) {  // a pattern that is no regular expression is found out only now
    return {{"", std::string("cannot be checked: ") + e.what()}};
  }
  std::vector<SchemaFinding> findings;
  valijson::ValidationResults::Error error;
  while (results.popError(error)) findings.push_back({path_of(error.context), error.description});
  return schema_errors(compiled_->text, value, findings);
}

}  // namespace skald::plugin
