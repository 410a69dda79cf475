#pragma once

#include <string>
#include <string_view>

#include <absl/time/time.h>

namespace skald::plugins {

// Puts what a plugin's process says into the log, line by line, as "[name] line": so many lines a second and bytes a
// line, and then how many there were beyond. Not thread-safe.
class LineLog {
 public:
  explicit LineLog(std::string name) : name_(std::move(name)) {}

  void append(std::string_view bytes);         // of its standard output
  void log(int level, std::string_view text);  // as in skald_plugin.h
  void end();                                  // the last line may lack its end

 private:
  bool admit();
  void tell_dropped();

  const std::string name_;
  std::string line_;
  double allowance_ = 0;
  absl::Time last_ = absl::InfinitePast();
  int64_t dropped_ = 0;
};

}  // namespace skald::plugins
