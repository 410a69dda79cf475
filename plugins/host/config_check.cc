#include "plugins/host/config_check.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>
#include <set>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "engine/base/secret.h"
#include "engine/base/text.h"
#include "plugins/host/secrets.h"
#include "plugins/sdk/json_schema.h"

namespace skald::plugins {
namespace {

using nlohmann::json;

constexpr int kLongestChain = 32;  // of references and alternatives, so that a schema that refers to itself ends
constexpr size_t kMostNamesListed = 12;
constexpr size_t kLeastBeginning = 3;

// How many letters must be changed, put in or left out.
size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
      corner = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

std::string unknown_key(const std::string& key, const std::vector<std::string>& known) {
  const std::string refusal = absl::StrCat("there is no setting '", key, "'");
  if (known.empty()) return refusal;
  const auto nearest = std::min_element(
      known.begin(), known.end(), [&](const auto& a, const auto& b) { return distance(key, a) < distance(key, b); });
  const auto begun = std::find_if(known.begin(), known.end(), [&](const auto& name) {
    return key.size() >= kLeastBeginning && absl::StartsWith(name, key);
  });
  if (begun != known.end()) return absl::StrCat(refusal, ": did you mean '", *begun, "'?");
  if (distance(key, *nearest) <= std::max<size_t>(2, key.size() / 3))
    return absl::StrCat(refusal, ": did you mean '", *nearest, "'?");
  if (known.size() > kMostNamesListed) return refusal;
  return absl::StrCat(refusal, ": there are ", absl::StrJoin(known, ", "));
}

// Follows the configuration and its schema at the same time.
class Walk {
 public:
  Walk(const json& root, const std::string& folder, const std::vector<std::string>& others, ConfigCheck& out)
      : root_(root), folder_(folder), others_(others), out_(out) {}

  // `alone`: no alternative to this schema may know more keys.
  void visit(const json& schema, json& value, const std::string& pointer, int chain, bool alone) {
    if (!schema.is_object() || chain > kLongestChain) return;
    if (schema.value("secret", json()) == true) return secret(value, pointer);
    if (schema.contains("$ref")) {
      if (const json* target = referred(schema["$ref"])) visit(*target, value, pointer, chain + 1, alone);
      return;
    }
    for (const char* word : {"allOf", "anyOf", "oneOf"}) {
      if (!schema.contains(word) || !schema[word].is_array()) continue;
      for (const json& part : schema[word]) visit(part, value, pointer, chain + 1, false);
    }
    if (value.is_object()) members(schema, value, pointer, alone);
    if (value.is_array() && schema.contains("items")) {
      for (size_t i = 0; i < value.size(); ++i)
        visit(schema["items"], value[i], absl::StrCat(pointer, "/", i), 0, alone);
    }
  }

 private:
  const json* referred(const json& reference) const {
    if (!reference.is_string() || !absl::StartsWith(reference.get<std::string>(), "#")) return nullptr;
    try {
      return &root_.at(json::json_pointer(reference.get<std::string>().substr(1)));
    } catch (const json::exception&) {
      return nullptr;  // which the schema's own check tells
    }
  }

  void members(const json& schema, json& value, const std::string& pointer, bool alone) {
    const json known = schema.value("properties", json::object());
    const json rest = schema.value("additionalProperties", json());
    const bool closed = alone && rest == false && !schema.contains("patternProperties");
    std::vector<std::string> unknown;
    for (auto& [key, member] : value.items()) {
      const std::string below = absl::StrCat(pointer, "/", pointer_token(key));
      if (known.contains(key)) {
        visit(known[key], member, below, 0, alone);
      } else if (closed) {
        unknown.push_back(key);
      } else {
        visit(rest, member, below, 0, alone);
      }
    }
    if (unknown.empty()) return;
    std::vector<std::string> names;
    for (const auto& [name, ignored] : known.items()) {
      if (!absl::StartsWith(name, "$")) names.push_back(name);
    }
    if (pointer.empty()) names.insert(names.end(), others_.begin(), others_.end());
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    for (const std::string& key : unknown) {
      out_.problems.push_back({0, absl::StrCat(pointer, "/", pointer_token(key)), unknown_key(key, names)});
      value.erase(key);
    }
  }

  void secret(json& value, const std::string& pointer) {
    if (!done_.insert(pointer).second) return;
    const auto refuse = [&](std::string sentence) { out_.problems.push_back({0, pointer, std::move(sentence)}); };
    if (!value.is_string()) {
      value = "";
      return refuse("a secret is given by reference: env:NAME of an environment variable, or file:PATH");
    }
    auto reference = value.get<std::string>();
    value = "";
    constexpr absl::string_view kFile = "file:";
    if (absl::StartsWith(reference, kFile)) {
      const std::filesystem::path file = std::filesystem::path(folder_) / reference.substr(kFile.size());
      reference = absl::StrCat(kFile, file.string());
    }
    const auto read = base::read_secret(reference);
    if (!read.ok()) return refuse(std::string(base::text(read.status())));
    value = *read;
    out_.secrets.push_back(*read);
    if (read->size() < kShortestBlankedSecret) {
      out_.warnings.push_back({0, pointer,
                               absl::StrCat("the secret has fewer than ", kShortestBlankedSecret,
                                            " characters: it is not blanked in logs and failures")});
    }
  }

  const json& root_;
  const std::string& folder_;
  const std::vector<std::string>& others_;
  ConfigCheck& out_;
  std::set<std::string> done_;
};

}  // namespace

ConfigCheck check_config(const json& schema, json& value, const std::string& folder,
                         const std::vector<std::string>& others) {
  const plugin::JsonSchema checked(schema);
  ConfigCheck out;
  Walk(schema, folder, others, out).visit(schema, value, "", 0, true);
  const auto told = [&out](const std::string& pointer) {
    return std::any_of(out.problems.begin(), out.problems.end(),
                       [&](const ConfigProblem& problem) { return problem.pointer == pointer; });
  };
  const size_t walked = out.problems.size();
  for (const plugin::SchemaError& error : checked.check(value)) {
    if (walked > 0 && told(error.pointer)) continue;  // one sentence a value
    out.problems.push_back({0, error.pointer, error.message});
  }
  return out;
}

}  // namespace skald::plugins
