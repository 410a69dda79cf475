#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "plugins/llm/field_names.h"
#include "plugins/llm/known_values.h"
#include "plugins/llm/personal_data.h"

namespace skald::plugin::llm {

// What is not to leave: kinds that are recognised in any text, and fields by words of their name ("name",
// "customer.name").
struct RedactionRules {
  PersonalKinds kinds;
  std::vector<std::string> fields;
};

// Section "redact" of the configuration (null: the defaults).
RedactionRules redaction_rules(const nlohmann::json& section);
nlohmann::json to_json(const RedactionRules& rules);

// Personal data of one decision: each text has one placeholder, "[EMAIL_1]", in all that is sent, and gets back in its
// place in what comes back. One thread at a time.
class Redaction {
 public:
  explicit Redaction(const RedactionRules& rules) : rules_(rules), fields_(rules.fields) {}

  // With all that is to be redacted replaced, in keys too. A configured field's value is replaced wherever else it
  // stands, in capitals or not, also in what is redacted later; and so is each word of a name, as it is written there.
  nlohmann::json redact(const nlohmann::json& value);
  std::string redact_text(std::string_view text);
  // With known placeholders replaced by what they stand for.
  nlohmann::json restore(const nlohmann::json& value) const;
  std::string restore_text(std::string_view text) const;

  size_t count() const { return originals_.size(); }  // of different texts that were replaced

  // To go on later, after a crash too.
  nlohmann::json save() const;
  void load(const nlohmann::json& saved);

 private:
  void collect_fields(const nlohmann::json& value, const std::string& path);
  void collect_field(const nlohmann::json& value, std::string_view kind);
  nlohmann::json replaced(const nlohmann::json& value, const std::string& path);
  nlohmann::json replaced_field(const nlohmann::json& value, std::string_view kind);
  const std::string* known_value_at(std::string_view text, size_t at) const;
  const std::string& placeholder(std::string_view kind, const std::string& original);

  RedactionRules rules_;
  std::map<std::string, std::string> placeholders_;  // by original
  std::map<std::string, std::string> originals_;     // by placeholder
  std::map<std::string, size_t> numbers_;            // the last of each kind
  FieldNames fields_;
  KnownValues field_values_{KnownValues::Case::kAny};  // that are looked for in every text
  KnownValues name_parts_{KnownValues::Case::kSame};
};

}  // namespace skald::plugin::llm
