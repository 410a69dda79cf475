#pragma once

#include "lua/log_sink.h"

namespace skald::sim {

class QuietLog final : public lua::LogSink {
 public:
  void write(Level, const lua::RunIdentity&, std::string_view, std::string_view) override {}
};

}  // namespace skald::sim
