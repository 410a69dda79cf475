#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <spdlog/logger.h>

#include "lua/log_sink.h"
#include "tests/sim/auditor.h"

namespace skald::sim {

// While it lives, every warning and error in the log is told to the auditor. What the log shows otherwise it still does.
class LogWitness {
 public:
  // The auditor outlives it.
  explicit LogWitness(Auditor& auditor);
  ~LogWitness();
  LogWitness(const LogWitness&) = delete;
  LogWitness& operator=(const LogWitness&) = delete;

 private:
  const std::shared_ptr<spdlog::logger> before_;
};

// Hears what the scripts' library says: that it cannot read something, above all. `expected` tells whether that workflow
// was sent something of the kind.
class ScriptLogWitness final : public lua::LogSink {
 public:
  ScriptLogWitness(Auditor& auditor, std::function<bool(const std::string&)> expected)
      : auditor_(auditor), expected_(std::move(expected)) {}

  void write(Level level, const lua::RunIdentity& script, std::string_view type, std::string_view text) override;

 private:
  Auditor& auditor_;
  const std::function<bool(const std::string&)> expected_;
};

}  // namespace skald::sim
