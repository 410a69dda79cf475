#include "plugins/llm/known_values.h"

namespace skald::plugin::llm {

char KnownValues::folded(char c) const {
  return letters_ == Case::kAny && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

void KnownValues::add(const std::string& value) {
  all_.push_back(value);
  if (value.empty() || value.size() > kLongest) return;
  std::string key = value;
  for (char& c : key) c = folded(c);
  sorted_.try_emplace(std::move(key), value);
}

void KnownValues::set(const std::vector<std::string>& values) {
  all_.clear();
  sorted_.clear();
  for (const std::string& value : values) add(value);
}

const std::string* KnownValues::longest_at(std::string_view text, size_t at,
                                           const std::function<bool(size_t end)>& may_end) const {
  const std::string* found = nullptr;
  std::string seen;
  for (size_t i = at; i < text.size() && seen.size() < kLongest; ++i) {
    seen += folded(text[i]);
    const auto next = sorted_.lower_bound(seen);
    if (next == sorted_.end() || !next->first.starts_with(seen)) break;
    if (next->first.size() == seen.size() && may_end(i + 1)) found = &next->second;
  }
  return found;
}

}  // namespace skald::plugin::llm
