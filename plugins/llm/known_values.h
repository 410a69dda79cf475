#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skald::plugin::llm {

// Texts that are looked for within other texts. What a look costs does not grow with how many there are: they are
// sorted, and the text is followed down among them. One thread at a time.
class KnownValues {
 public:
  enum class Case { kSame, kAny };  // whether capitals count
  static constexpr size_t kLongest = 256;  // bytes: a longer one is not looked for

  explicit KnownValues(Case letters) : letters_(letters) {}

  void add(const std::string& value);
  void set(const std::vector<std::string>& values);
  const std::vector<std::string>& all() const { return all_; }

  // The longest that stands in `text` at `at` and ends where `may_end` says so; nullptr if there is none.
  const std::string* longest_at(std::string_view text, size_t at, const std::function<bool(size_t end)>& may_end) const;

 private:
  char folded(char c) const;

  Case letters_;
  std::vector<std::string> all_;               // as they were added
  std::map<std::string, std::string> sorted_;  // the first of its letters, by these as they are compared
};

}  // namespace skald::plugin::llm
