#pragma once

#include <string>

#include <spdlog/spdlog.h>

#include "plugins/host/secrets.h"

namespace skald::plugins {

// A line that a plugin wants in the log; the level as in skald_plugin.h.
inline void log_of_plugin(int level, std::string text) {
  const auto severity = level <= 0   ? spdlog::level::debug
                        : level == 1 ? spdlog::level::info
                        : level == 2 ? spdlog::level::warn
                                     : spdlog::level::err;
  if (spdlog::should_log(severity)) spdlog::log(severity, "{}", blank_secrets(std::move(text)));
}

}  // namespace skald::plugins
