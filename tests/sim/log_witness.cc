#include "tests/sim/log_witness.h"

#include <algorithm>

#include <fmt/core.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "lua/script.h"

namespace skald::sim {

namespace {

class Ear final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit Ear(Auditor& auditor) : auditor_(auditor) {}

 private:
  void sink_it_(const spdlog::details::log_msg& line) override { auditor_.warned({line.payload.data(), line.payload.size()}); }
  void flush_() override {}

  Auditor& auditor_;
};

}  // namespace

LogWitness::LogWitness(Auditor& auditor) : before_(spdlog::default_logger()) {
  const auto ear = std::make_shared<Ear>(auditor);
  ear->set_level(spdlog::level::warn);
  std::vector<spdlog::sink_ptr> sinks = {ear};
  if (before_->level() != spdlog::level::off) sinks.insert(sinks.end(), before_->sinks().begin(), before_->sinks().end());
  const auto logger = std::make_shared<spdlog::logger>("", sinks.begin(), sinks.end());
  logger->set_level(std::min(before_->level(), spdlog::level::warn));
  spdlog::set_default_logger(logger);
}

LogWitness::~LogWitness() { spdlog::set_default_logger(before_); }

void ScriptLogWitness::write(Level level, const lua::RunIdentity& script, std::string_view type, std::string_view text) {
  if (level < Level::kWarn || text.find("cannot be read") == text.npos || expected_(script.workflow_id)) return;
  auditor_.blame(fmt::format("{} ({}): {}", script.workflow_id, type, text));
}

}  // namespace skald::sim
