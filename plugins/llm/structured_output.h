#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "plugins/sdk/json_schema.h"

namespace skald::plugin::llm {

// The JSON in a model's answer: the whole of it, what a ```json fence holds, or the outermost braces. Nothing if there
// is none.
std::optional<nlohmann::json> find_json(std::string_view text);

// An author's schema of an object, with `confidence` and `explanation` required beside his own fields, and closed to
// others. Throws std::invalid_argument with a sentence.
nlohmann::json decision_schema(const nlohmann::json& authors);

// The form that an answer must have.
class AnswerForm {
 public:
  explicit AnswerForm(nlohmann::json schema);  // throws std::invalid_argument

  const nlohmann::json& schema() const { return schema_; }
  // What is wrong with it, as lines for the model and for people; empty if nothing is.
  std::string problems(const nlohmann::json& value) const;

 private:
  nlohmann::json schema_;
  std::unique_ptr<JsonSchema> compiled_;
};

struct CheckedAnswer {
  nlohmann::json value;
  std::string problems;  // empty: it fits
};
CheckedAnswer check_answer(std::string_view text, const AnswerForm& form);

// What a model is told whose answer has problems.
std::string repair_request(const std::string& problems);

}  // namespace skald::plugin::llm
