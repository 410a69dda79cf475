#pragma once

#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "engine/base/random.h"
#include "samples/demo/server_process.h"
#include "samples/mariadb/trial_store.h"

namespace skald::kills {

// The engine and its database as processes that are killed (SIGKILL) and started again on the same data and the same
// ports. Not thread-safe.
class Killer {
 public:
  // `command` starts the server but for its address; it logs to `log`. `store` outlives this.
  Killer(std::vector<std::string> command, std::string log, samples::TrialStore& store);

  // Starts the engine; returns its address, which stays.
  absl::StatusOr<std::string> start();
  // Each returns when what was killed answers again.
  absl::Status kill_engine();
  absl::Status kill_database();
  // At one moment; the engine comes back when the database has.
  absl::Status kill_both();
  // The engine, for good.
  void end() { engine_.reset(); }

  // How long each was away, in the order of the kills.
  const std::vector<absl::Duration>& engine_absences() const { return engine_absences_; }
  const std::vector<absl::Duration>& database_absences() const { return database_absences_; }

 private:
  absl::Status start_engine(absl::Time since);
  absl::Status start_database(absl::Time since);

  const std::vector<std::string> command_;
  const std::string log_;
  samples::TrialStore& store_;
  std::string address_ = "127.0.0.1:0";
  std::unique_ptr<demo::ServerProcess> engine_;
  std::vector<absl::Duration> engine_absences_;
  std::vector<absl::Duration> database_absences_;
};

enum class Kill { kEngine, kDatabase, kBoth };

// So many of each, in an order by chance. Now and then both die at one moment, which counts for each.
std::vector<Kill> shuffled_kills(int engine, int database, base::Random& random);

}  // namespace skald::kills
