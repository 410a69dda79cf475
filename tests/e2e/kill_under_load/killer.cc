#include "tests/e2e/kill_under_load/killer.h"

#include <exception>
#include <utility>

#include <absl/time/clock.h>

namespace skald::kills {
namespace {

constexpr int kSharedDeaths = 4;  // every so many of the database's deaths are the engine's too

}  // namespace

Killer::Killer(std::vector<std::string> command, std::string log, samples::TrialStore& store)
    : command_(std::move(command)), log_(std::move(log)), store_(store) {}

absl::StatusOr<std::string> Killer::start() {
  auto status = start_engine(absl::Now());
  if (!status.ok()) return status;
  engine_absences_.clear();
  return address_;
}

absl::Status Killer::kill_engine() {
  const absl::Time now = absl::Now();
  engine_->kill();
  return start_engine(now);
}

absl::Status Killer::kill_database() {
  const absl::Time now = absl::Now();
  store_.mariadb()->kill();
  return start_database(now);
}

absl::Status Killer::kill_both() {
  const absl::Time now = absl::Now();
  store_.mariadb()->kill();
  engine_->kill();
  if (auto status = start_database(now); !status.ok()) return status;
  return start_engine(now);
}

absl::Status Killer::start_engine(absl::Time since) {
  std::vector<std::string> command = command_;
  command.insert(command.end(), {"--grpc", address_});
  try {
    engine_ = std::make_unique<demo::ServerProcess>(command, log_);
  } catch (const std::exception& error) {
    return absl::UnavailableError(error.what());
  }
  address_ = engine_->address();
  engine_absences_.push_back(absl::Now() - since);
  return absl::OkStatus();
}

absl::Status Killer::start_database(absl::Time since) {
  auto status = store_.mariadb()->start();
  if (status.ok()) database_absences_.push_back(absl::Now() - since);
  return status;
}

std::vector<Kill> shuffled_kills(int engine, int database, base::Random& random) {
  std::vector<Kill> kills;
  for (int i = 1; i <= database; ++i) {
    const bool shared = i % kSharedDeaths == 0 && engine > 0;
    kills.push_back(shared ? Kill::kBoth : Kill::kDatabase);
    engine -= shared ? 1 : 0;
  }
  kills.insert(kills.end(), static_cast<size_t>(engine), Kill::kEngine);
  for (size_t i = kills.size(); i > 1; --i) std::swap(kills[i - 1], kills[random.below(i)]);
  return kills;
}

}  // namespace skald::kills
