#include "plugins/llm/clock.h"

#include <chrono>
#include <cstdio>
#include <ctime>

namespace skald::plugin::llm {

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string iso_time(int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[40];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(unix_ms % 1000));
  return text;
}

std::string iso_day(int64_t unix_ms) { return iso_time(unix_ms).substr(0, 10); }

}  // namespace skald::plugin::llm
