#include "plugins/llm/redaction.h"

#include <algorithm>

#include "plugins/sdk/fields.h"

namespace skald::plugin::llm {
namespace {

using nlohmann::json;

// Shorter values of fields are not looked for in other texts: they would be found everywhere.
constexpr size_t kShortestValue = 3;
constexpr std::string_view kLiteral = "TEXT";
constexpr std::string_view kName = "NAME";

bool is_upper(char c) { return (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (static_cast<unsigned char>(c) & 0x80) != 0;
}

// The length of "[NAME_12]" at the beginning, or 0.
size_t placeholder_size(std::string_view text) {
  size_t i = 1;
  while (i < text.size() && is_upper(text[i])) ++i;
  const size_t digits = i;
  while (i < text.size() && is_digit(text[i])) ++i;
  const bool complete = i < text.size() && text[i] == ']' && i > digits && digits > 2 && text[digits - 1] == '_';
  return !text.empty() && text[0] == '[' && complete ? i + 1 : 0;
}

// A card number may be written as a number, too.
bool is_card_number(const json& value) {
  if (!value.is_number_integer()) return false;
  const std::string digits = value.dump();
  return digits[0] != '-' && digits.size() >= 13 && digits.size() <= 19 && passes_luhn(digits);
}

void add_words(const std::string& text, KnownValues& words) {
  std::string word;
  for (const char c : text + " ") {
    if (is_word(c)) {
      word += c;
    } else {
      if (word.size() >= kShortestValue && word != text) words.add(word);
      word.clear();
    }
  }
}

std::string text_of(const json& scalar) { return scalar.is_string() ? scalar.get<std::string>() : scalar.dump(); }

}  // namespace

RedactionRules redaction_rules(const json& section) {
  RedactionRules rules;
  rules.fields = {"name", "first_name", "last_name", "full_name", "address", "street", "phone", "email", "iban"};
  if (section.is_null()) return rules;
  const auto flag = [&](const char* key, bool& value) { value = section.value(key, value); };
  flag("emails", rules.kinds.emails);
  flag("phones", rules.kinds.phones);
  flag("cards", rules.kinds.cards);
  flag("ibans", rules.kinds.ibans);
  if (section.contains("fields")) rules.fields = section["fields"].get<std::vector<std::string>>();
  return rules;
}

json to_json(const RedactionRules& rules) {
  return {{"emails", rules.kinds.emails},
          {"phones", rules.kinds.phones},
          {"cards", rules.kinds.cards},
          {"ibans", rules.kinds.ibans},
          {"fields", rules.fields}};
}

const std::string& Redaction::placeholder(std::string_view kind, const std::string& original) {
  auto [at, is_new] = placeholders_.try_emplace(original);
  if (is_new) {
    at->second = "[" + std::string(kind) + "_" + std::to_string(++numbers_[std::string(kind)]) + "]";
    originals_[at->second] = original;
  }
  return at->second;
}

void Redaction::collect_field(const json& value, std::string_view kind) {
  if (value.is_structured()) {
    for (const auto& [key, item] : value.items()) collect_field(item, kind);
  } else if (value.is_string() && !value.get_ref<const std::string&>().empty()) {
    const std::string& text = value.get_ref<const std::string&>();
    const bool is_known = placeholders_.contains(text);
    placeholder(kind, text);
    if (is_known || text.size() < kShortestValue) return;
    field_values_.add(text);
    if (kind.find("NAME") != std::string_view::npos) add_words(text, name_parts_);
  }
}

void Redaction::collect_fields(const json& value, const std::string& path) {
  if (!value.is_structured()) return;
  for (const auto& [key, item] : value.items()) {
    const std::string at = value.is_array() ? path : path.empty() ? key : path + "." + key;
    if (value.is_object() && fields_.contains(at)) {
      collect_field(item, FieldNames::kind_of(at));
    } else {
      collect_fields(item, at);
    }
  }
}

json Redaction::redact(const json& value) {
  collect_fields(value, "");
  return replaced(value, "");
}

json Redaction::replaced_field(const json& value, std::string_view kind) {
  if (!value.is_structured()) {
    if (value.is_null() || value.is_boolean() || text_of(value).empty()) return value;
    return placeholder(kind, text_of(value));
  }
  json out = value;
  for (auto& item : out) item = replaced_field(item, kind);
  return out;
}

json Redaction::replaced(const json& value, const std::string& path) {
  if (value.is_string()) return redact_text(value.get_ref<const std::string&>());
  if (rules_.kinds.cards && is_card_number(value)) return placeholder("CARD", value.dump());
  if (value.is_array()) {
    json out = json::array();
    for (const json& item : value) out.push_back(replaced(item, path));
    return out;
  }
  if (!value.is_object()) return value;
  json out = json::object();
  for (const auto& [key, item] : value.items()) {
    const std::string at = path.empty() ? key : path + "." + key;
    out[redact_text(key)] = fields_.contains(at) ? replaced_field(item, FieldNames::kind_of(at)) : replaced(item, at);
  }
  return out;
}

// A field's value, or a part of a name, that stands here as a word of its own.
const std::string* Redaction::known_value_at(std::string_view text, size_t at) const {
  if (at > 0 && is_word(text[at - 1]) && is_word(text[at])) return nullptr;
  const auto ends_word = [&](size_t end) {
    return end == text.size() || !is_word(text[end]) || !is_word(text[end - 1]);
  };
  const std::string* const value = field_values_.longest_at(text, at, ends_word);
  return value != nullptr ? value : name_parts_.longest_at(text, at, ends_word);
}

std::string Redaction::redact_text(std::string_view text) {
  std::string out;
  size_t begin = 0;
  PersonalDataSearch search(text, rules_.kinds);
  auto next = search.next(0);
  const auto replace = [&](size_t at, size_t size, std::string_view kind) {
    out += text.substr(begin, at - begin);
    out += placeholder(kind, std::string(text.substr(at, size)));
    begin = at + size;
  };
  for (size_t at = 0; at < text.size(); at = std::max(at + 1, begin)) {
    if (next && next->begin < at) next = search.next(at);
    if (const std::string* value = known_value_at(text, at)) {
      replace(at, value->size(), kName);
    } else if (next && next->begin == at) {
      replace(at, next->end - at, next->kind);
    } else if (const size_t size = text[at] == '[' ? placeholder_size(text.substr(at)) : 0; size > 0) {
      replace(at, size, kLiteral);  // else it would be taken for one of ours when it comes back
    }
  }
  return out + std::string(text.substr(begin));
}

std::string Redaction::restore_text(std::string_view text) const {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t size = text[at] == '[' ? placeholder_size(text.substr(at)) : 0;
    const auto found = size == 0 ? originals_.end() : originals_.find(std::string(text.substr(at, size)));
    if (found != originals_.end()) {
      out += found->second;
      at += size;
    } else {
      out += text[at++];
    }
  }
  return out;
}

json Redaction::restore(const json& value) const {
  if (value.is_string()) return restore_text(value.get_ref<const std::string&>());
  if (value.is_array()) {
    json out = json::array();
    for (const json& item : value) out.push_back(restore(item));
    return out;
  }
  if (!value.is_object()) return value;
  json out = json::object();
  for (const auto& [key, item] : value.items()) out[restore_text(key)] = restore(item);
  return out;
}

json Redaction::save() const {
  return {{"placeholders", placeholders_},
          {"numbers", numbers_},
          {"field_values", field_values_.all()},
          {"name_parts", name_parts_.all()}};
}

void Redaction::load(const json& saved) {
  placeholders_ = saved.at("placeholders").get<std::map<std::string, std::string>>();
  numbers_ = saved.at("numbers").get<std::map<std::string, size_t>>();
  field_values_.set(saved.at("field_values").get<std::vector<std::string>>());
  name_parts_.set(saved.at("name_parts").get<std::vector<std::string>>());
  originals_.clear();
  for (const auto& [original, placeholder] : placeholders_) originals_[placeholder] = original;
}

}  // namespace skald::plugin::llm
