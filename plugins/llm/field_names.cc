#include "plugins/llm/field_names.h"

#include <algorithm>

namespace skald::plugin::llm {
namespace {

bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }
bool is_figure(char c) { return c >= '0' && c <= '9'; }
bool is_foreign(char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; }
char to_small(char c) { return is_capital(c) ? static_cast<char>(c - 'A' + 'a') : c; }

// customerName -> customer, name; IBANNumber2 -> iban, number, 2. What is neither a letter nor a digit is between words.
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words;
  bool open = false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i], before = i > 0 ? name[i - 1] : '\0', after = i + 1 < name.size() ? name[i + 1] : '\0';
    if (!is_small(c) && !is_capital(c) && !is_figure(c) && !is_foreign(c)) {
      open = false;
      continue;
    }
    const bool begins = (is_capital(c) && (is_small(before) || is_foreign(before))) ||
                        (is_capital(c) && is_capital(before) && is_small(after)) || is_figure(c) != is_figure(before);
    if (!open || begins) words.emplace_back();
    open = true;
    words.back() += to_small(c);
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += word;
  return out;
}

}  // namespace

FieldNames::FieldNames(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string wanted = joined(words_of(name));
    if (wanted.empty()) continue;
    wanted_.insert({wanted, wanted + "s", wanted + "es"});
    longest_ = std::max(longest_, wanted.size() + 2);
  }
}

// Looks at all runs of words that reach into the last key, from their ends.
bool FieldNames::contains(std::string_view path) const {
  const size_t last_key = path.rfind('.') == std::string_view::npos ? 0 : path.rfind('.') + 1;
  const size_t before = words_of(path.substr(0, last_key)).size();
  const std::vector<std::string> words = words_of(path);
  for (size_t end = words.size(); end > before; --end) {
    std::string run;
    for (size_t begin = end; begin > 0 && run.size() <= longest_; --begin) {
      run.insert(0, words[begin - 1]);
      if (wanted_.contains(run)) return true;
    }
  }
  return false;
}

std::string FieldNames::kind_of(std::string_view path) {
  std::string kind;
  for (const std::string& word : words_of(path.substr(path.rfind('.') + 1))) {
    if (is_figure(word[0])) continue;
    if (!kind.empty()) kind += '_';
    for (const char c : word) kind += is_small(c) ? static_cast<char>(c - 'a' + 'A') : '_';
  }
  const bool has_letter = std::any_of(kind.begin(), kind.end(), is_capital);
  return has_letter ? kind : "TEXT";
}

}  // namespace skald::plugin::llm
