#include "engine/server/script_log.h"

#include <spdlog/spdlog.h>

#include "lua/script.h"

namespace skald::server {

void ScriptLog::write(Level level, const lua::RunIdentity& run, std::string_view workflow_type, std::string_view text) {
  static constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                          spdlog::level::warn, spdlog::level::err};
  spdlog::log(kLevels[static_cast<size_t>(level)], "{} {}: {}", workflow_type, run.workflow_id, text);
}

}  // namespace skald::server
