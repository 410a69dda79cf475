#pragma once

#include <string>
#include <string_view>

namespace skald::lua {

struct RunIdentity;

// Where workflows' log lines go. Thread-safe; must not block.
class LogSink {
 public:
  enum class Level { kDebug, kInfo, kWarn, kError };
  virtual ~LogSink() = default;
  virtual void write(Level level, const RunIdentity& script, std::string_view workflow_type, std::string_view text) = 0;
};

}  // namespace skald::lua
