#include "engine/worker/connection_report.h"

#include <absl/strings/strip.h>
#include <spdlog/spdlog.h>

#include "engine/base/text.h"

namespace skald::worker {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(30);

}  // namespace

void ConnectionReport::poll_ended(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  if (status.ok()) return over();
  const absl::Time now = clock_.now();
  if (status.code() == trouble_.code() && now - said_ < kInterval) return;
  trouble_ = status;
  said_ = now;
  spdlog::warn("cannot get tasks from {}: {}; trying again", address_,
               base::text(absl::StripSuffix(status.message(), ".")));
}

void ConnectionReport::connected() {
  const std::lock_guard lock(mutex_);
  if (absl::IsUnavailable(trouble_)) over();
}

void ConnectionReport::over() {
  if (!trouble_.ok()) spdlog::info("getting tasks from {} again", address_);
  trouble_ = absl::OkStatus();
}

}  // namespace skald::worker
