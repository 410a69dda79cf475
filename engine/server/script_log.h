#pragma once

#include "lua/log_sink.h"

namespace skald::server {

// Workflows' log lines in the server's own log.
class ScriptLog final : public lua::LogSink {
 public:
  void write(Level level, const lua::RunIdentity& run, std::string_view workflow_type, std::string_view text) override;
};

}  // namespace skald::server
