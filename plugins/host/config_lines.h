#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skald::plugins {

// Something wrong in a configuration.
struct ConfigProblem {
  int line = 0;         // from 1
  std::string pointer;  // JSON pointer of the value, "" the whole
  std::string sentence;
};

// Where the values of a JSON text stand.
class ConfigLines {
 public:
  // `text` must be JSON, with or without comments; what lies deeper than 64 levels, and a key that an object has twice,
  // are problems.
  explicit ConfigLines(std::string_view text);

  // Of the value, or of the nearest one around it that is there. A member of an object begins with its key.
  int line(const std::string& pointer) const;
  const std::vector<ConfigProblem>& problems() const { return problems_; }

 private:
  friend class LineScanner;
  std::map<std::string, int> lines_;  // by JSON pointer
  std::vector<ConfigProblem> problems_;
};

// The line that holds the byte.
int line_at(std::string_view text, size_t byte);

// A JSON pointer's next token, escaped.
std::string pointer_token(const std::string& key);

// /limits/rate is limits.rate, and /items/0 is items[0].
std::string key_path(const std::string& pointer);

}  // namespace skald::plugins
