#include "plugins/sdk/schema_sentence.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <set>
#include <string_view>

namespace skald::plugin {
namespace {

using nlohmann::json;
using Path = std::vector<std::string>;

constexpr int kMostReferences = 32;

bool starts(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }

// Says no more than that something within is wrong.
bool is_wrapper(const std::string& description) {
  return starts(description, "Failed to validate ") && !starts(description, "Failed to validate against exactly");
}

bool is_choice(const std::string& description) {
  return starts(description, "Failed to validate against any schemas allowed by anyOf") ||
         starts(description, "Failed to validate against any child schemas allowed by oneOf");
}

// What stands between the first and the last apostrophe.
std::string quoted(const std::string& description) {
  const size_t begin = description.find('\''), end = description.rfind('\'');
  return begin == end ? std::string() : description.substr(begin + 1, end - begin - 1);
}

std::string pointer_to(const Path& path) {
  std::string out;
  for (const std::string& part : path) {
    out += '/';
    for (const char c : part) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  }
  return out;
}

const json* step_into(const json* value, const std::string& part) {
  if (value->is_object()) return value->contains(part) ? &value->at(part) : nullptr;
  if (!value->is_array() || part.empty() || part.size() > 9 ||
      !std::all_of(part.begin(), part.end(), [](unsigned char c) { return std::isdigit(c) != 0; }))
    return nullptr;
  const size_t index = std::stoul(part);
  return index < value->size() ? &value->at(index) : nullptr;
}

const json* value_at(const json& value, const Path& path) {
  const json* at = &value;
  for (const std::string& part : path) {
    if (at == nullptr) return nullptr;
    at = step_into(at, part);
  }
  return at;
}

// A schema's parts for one value: itself, what it refers to, and all of allOf.
void gather(const json& root, const json& schema, std::vector<const json*>& parts) {
  if (!schema.is_object() || parts.size() >= kMostReferences) return;
  parts.push_back(&schema);
  if (schema.contains("$ref") && schema["$ref"].is_string()) {
    const std::string& reference = schema["$ref"].get_ref<const std::string&>();
    if (starts(reference, "#")) {
      try {
        gather(root, root.at(json::json_pointer(reference.substr(1))), parts);
      } catch (const json::exception&) {  // an anchor, or escaped as in a URL
      }
    }
  }
  if (schema.contains("allOf") && schema["allOf"].is_array()) {
    for (const json& each : schema["allOf"]) gather(root, each, parts);
  }
}

std::vector<const json*> parts_of(const json& root, const json& schema) {
  std::vector<const json*> parts;
  gather(root, schema, parts);
  return parts;
}

const json* child(const json& part, const std::string& name) {
  if (part.contains("properties") && part["properties"].is_object() && part["properties"].contains(name))
    return &part["properties"][name];
  if (part.contains("items")) {
    const json& items = part["items"];
    if (items.is_object()) return &items;
    if (const json* item = step_into(&items, name)) return item;
  }
  if (part.contains("additionalProperties") && part["additionalProperties"].is_object())
    return &part["additionalProperties"];
  return nullptr;
}

// The schema's parts for the value at a path; none if they are not easily found.
std::vector<const json*> schema_at(const json& root, const Path& path) {
  std::vector<const json*> parts = parts_of(root, root);
  for (const std::string& name : path) {
    const json* next = nullptr;
    for (const json* part : parts) {
      if (next == nullptr) next = child(*part, name);
    }
    if (next == nullptr) return {};
    parts = parts_of(root, *next);
  }
  return parts;
}

const json* keyword(const std::vector<const json*>& parts, const char* name) {
  for (const json* part : parts) {
    if (part->contains(name)) return &part->at(name);
  }
  return nullptr;
}

std::string type_name(const std::string& type) {
  if (type == "string") return "a text";
  if (type == "integer") return "a whole number";
  if (type == "number") return "a number";
  if (type == "boolean") return "true or false";
  if (type == "object") return "an object";
  if (type == "array") return "a list";
  return type;
}

std::string one_of(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) out += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  return out;
}

std::string type_names(const json& type) {
  if (type.is_string()) return type_name(type.get<std::string>());
  std::vector<std::string> names;
  for (const json& each : type) {
    if (each.is_string()) names.push_back(type_name(each.get<std::string>()));
  }
  return one_of(names);
}

std::string short_text(const json& value) {
  constexpr size_t kLongest = 60;
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

std::string forms(const std::vector<const json*>& parts) {
  const json* choices = keyword(parts, "anyOf");
  if (choices == nullptr) choices = keyword(parts, "oneOf");
  std::vector<std::string> names;
  if (choices != nullptr && choices->is_array()) {
    for (const json& choice : *choices) {
      if (choice.is_object() && choice.contains("type")) names.push_back(type_names(choice["type"]));
    }
  }
  const bool all = choices != nullptr && names.size() == choices->size();
  const std::set<std::string> distinct(names.begin(), names.end());
  if (!all || distinct.size() != names.size()) return "fits none of the forms that are allowed";
  return "must be " + one_of(names);
}

struct Rule {
  const char* found;    // how the validator's description begins
  const char* keyword;  // of the schema
  const char* before;
  const char* after;
};

constexpr Rule kRules[] = {
    {"Expected number less than or equal", "maximum", "must be at most ", ""},
    {"Expected number less than", "exclusiveMaximum", "must be less than ", ""},
    {"Expected number greater than or equal", "minimum", "must be at least ", ""},
    {"Expected number greater than", "exclusiveMinimum", "must be more than ", ""},
    {"Value should be a multiple", "multipleOf", "must be a multiple of ", ""},
    {"String should be no more", "maxLength", "must have at most ", " characters"},
    {"String should be no fewer", "minLength", "must have at least ", " characters"},
    {"Array should contain no more", "maxItems", "must have at most ", " elements"},
    {"Array should contain no fewer", "minItems", "must have at least ", " elements"},
    {"Object should have no more", "maxProperties", "must have at most ", " fields"},
    {"Object should have no fewer", "minProperties", "must have at least ", " fields"},
    {"Failed to match regex", "pattern", "must match the pattern ", ""},
    {"Failed to match expected value", "const", "must be ", ""},
    {"String should be a valid", "format", "must be a text of the format ", ""},
    {"Elements at indexes", "uniqueItems", "must not have an element twice", nullptr},
    {"Failed to any values", "contains", "has no element of the kind that it must contain", nullptr},
};

std::string sentence(const std::vector<const json*>& parts, const json* value, const std::string& description) {
  if (starts(description, "Value type not permitted")) {
    const json* type = keyword(parts, "type");
    if (type != nullptr && !type_names(*type).empty()) {
      const bool shown = value != nullptr && keyword(parts, "secret") == nullptr;
      const std::string found = shown ? ", not " + short_text(*value) : "";
      return "must be " + type_names(*type) + found;
    }
    return "is of a type that is not allowed";
  }
  if (starts(description, "Failed to match against any enum")) {
    std::vector<std::string> names;
    if (const json* choices = keyword(parts, "enum")) {
      for (const json& choice : *choices) names.push_back(short_text(choice));
    }
    return names.empty() ? "is none of the values that are allowed" : "must be " + one_of(names);
  }
  if (starts(description, "Missing required")) return "lacks the key '" + quoted(description) + "'";
  for (const Rule& rule : kRules) {
    if (!starts(description, rule.found)) continue;
    if (rule.after == nullptr) return rule.before;
    const json* limit = keyword(parts, rule.keyword);
    if (limit == nullptr) break;
    if (std::string_view(rule.keyword) == "minLength" && *limit == 1) return "must not be empty";
    return rule.before + short_text(*limit) + rule.after;
  }
  if (is_choice(description)) return forms(parts);
  if (is_wrapper(description)) return "is not allowed here";
  std::string text = description;
  if (!text.empty() && text.back() == '.') text.pop_back();
  return "is not what it must be: " + text;
}

std::string known_keys(const std::vector<const json*>& parts) {
  std::string all;
  for (const json* part : parts) {
    if (!part->contains("properties")) continue;
    for (const auto& [key, schema] : part->at("properties").items()) {
      if (!starts(key, "$")) all += (all.empty() ? "" : ", ") + key;
    }
  }
  return all.empty() ? "is not known: there are no keys here" : "is not known: use " + all;
}

// A finding about a property or an element of the value, as one of that.
SchemaFinding inward(SchemaFinding finding) {
  const std::string& text = finding.description;
  if (starts(text, "Failed to validate against schema associated with property name")) {
    finding.path.push_back(quoted(text));
  } else if (const size_t item = text.find("item #"); is_wrapper(text) && item != std::string::npos) {
    const size_t end = text.find(' ', item + 6);
    finding.path.push_back(text.substr(item + 6, end == std::string::npos ? end : end - item - 6));
  }
  return finding;
}

bool within(const Path& inner, const Path& outer) {
  return inner.size() >= outer.size() && std::equal(outer.begin(), outer.end(), inner.begin());
}

// Whether something that was found tells more than this.
bool is_superseded(const SchemaFinding& one, const std::vector<SchemaFinding>& all) {
  const bool wrapper = is_wrapper(one.description);
  return std::any_of(all.begin(), all.end(), [&](const SchemaFinding& other) {
    if (&other == &one) return false;
    const bool deeper = within(other.path, one.path) && other.path.size() > one.path.size();
    const bool clearer = other.path == one.path && (!is_wrapper(other.description) || is_choice(other.description));
    if (wrapper && (deeper || (clearer && !is_choice(one.description)))) return true;
    return !is_choice(one.description) && is_choice(other.description) && other.path == one.path;
  });
}

}  // namespace

std::vector<SchemaError> schema_errors(const json& schema, const json& value, const std::vector<SchemaFinding>& found) {
  std::vector<SchemaFinding> findings;
  std::transform(found.begin(), found.end(), std::back_inserter(findings), inward);
  std::vector<SchemaError> errors;
  std::set<std::pair<std::string, std::string>> seen;
  const auto add = [&](const Path& path, std::string message) {
    std::string pointer = pointer_to(path);
    if (seen.emplace(pointer, message).second) errors.push_back({std::move(pointer), std::move(message)});
  };
  for (const SchemaFinding& finding : findings) {
    if (is_superseded(finding, findings)) continue;
    const std::vector<const json*> parts = schema_at(schema, finding.path);
    if (!starts(finding.description, "Object contains a property")) {
      add(finding.path, sentence(parts, value_at(value, finding.path), finding.description));
      continue;
    }
    Path path = finding.path;
    path.push_back(quoted(finding.description.substr(finding.description.find("constraints:"))));
    add(path, known_keys(parts));
  }
  return errors;
}

}  // namespace skald::plugin
