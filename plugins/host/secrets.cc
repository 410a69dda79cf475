#include "plugins/host/secrets.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>

#include <absl/strings/ascii.h>
#include <absl/strings/str_split.h>
#include <nlohmann/json.hpp>

namespace skald::plugins {
namespace {

using nlohmann::json;

constexpr std::string_view kBlank = "***";

struct Needles {
  std::set<std::string> values;  // as they are
  std::vector<std::string> all;  // in every form, the longest first, so that a part of one never spoils the whole
};

std::mutex& mutex() {
  static auto* const instance = new std::mutex;
  return *instance;
}

// Lives as long as the process, for threads of plugins that never end.
std::shared_ptr<const Needles>& current() {
  static auto* const instance = new std::shared_ptr<const Needles>;
  return *instance;
}

std::string unquoted(const std::string& json_text) { return json_text.substr(1, json_text.size() - 2); }

std::string percent_encoded(const std::string& text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (isalnum(byte) || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

std::shared_ptr<const Needles> with(const Needles* before, const std::vector<std::string>& values) {
  auto after = std::make_shared<Needles>();
  if (before != nullptr) after->values = before->values;
  for (const std::string& value : values) {
    if (value.size() < kShortestBlankedSecret) continue;
    after->values.insert(value);
    // Logs come line by line, and so does a key that is told there.
    for (const absl::string_view piece : absl::StrSplit(value, absl::ByAnyChar("\r\n"))) {
      const absl::string_view line = absl::StripAsciiWhitespace(piece);
      if (line.size() >= kShortestBlankedSecret) after->values.emplace(line.data(), line.size());
    }
  }
  std::set<std::string> forms;
  for (const std::string& value : after->values) {
    const json text = value;
    forms.insert({value, percent_encoded(value), unquoted(text.dump(-1, ' ', false, json::error_handler_t::replace)),
                  unquoted(text.dump(-1, ' ', true, json::error_handler_t::replace))});
  }
  after->all.assign(forms.begin(), forms.end());
  std::sort(after->all.begin(), after->all.end(),
            [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
  return after;
}

// Whether anything was blanked.
bool blank(std::string& text, const std::vector<std::string>& needles) {
  bool found = false;
  for (const std::string& needle : needles) {
    for (size_t at = text.find(needle); at != std::string::npos; at = text.find(needle, at + kBlank.size())) {
      text.replace(at, needle.size(), kBlank);
      found = true;
    }
  }
  return found;
}

bool blank(json& value, const Needles& needles) {
  bool found = false;
  if (value.is_string()) {
    found = blank(value.get_ref<std::string&>(), needles.all);
  } else if (value.is_number()) {
    std::string digits = value.dump();
    found = blank(digits, needles.all);
    if (found) value = digits;
  } else if (value.is_array()) {
    for (json& element : value) found |= blank(element, needles);
  } else if (value.is_object()) {
    json renamed = json::object();
    for (auto& [key, member] : value.items()) {
      found |= blank(member, needles);
      std::string name = key;
      found |= blank(name, needles.all);
      renamed[name] = std::move(member);
    }
    value = std::move(renamed);
  }
  return found;
}

}  // namespace

void remember_secrets(const std::vector<std::string>& values) {
  if (values.empty()) return;
  std::lock_guard lock(mutex());
  std::atomic_store(&current(), with(current().get(), values));
}

std::string blank_secrets(std::string text) {
  const auto needles = std::atomic_load(&current());
  if (needles != nullptr) blank(text, needles->all);
  return text;
}

std::string blank_secrets_in_json(std::string text) {
  const auto needles = std::atomic_load(&current());
  if (needles == nullptr) return text;
  // Only escapes can hide a value from a look at the text.
  const bool suspicious = text.find('\\') != std::string::npos ||
                          std::any_of(needles->all.begin(), needles->all.end(), [&](const std::string& needle) {
                            return text.find(needle) != std::string::npos;
                          });
  if (!suspicious) return text;
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) {
    blank(text, needles->all);
  } else if (blank(value, *needles)) {
    text = value.dump();
  }
  return text;
}

}  // namespace skald::plugins
