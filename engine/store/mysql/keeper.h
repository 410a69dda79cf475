#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/store/mysql/leases.h"
#include "engine/store/mysql/mysql_store.h"
#include "engine/store/mysql/session.h"
#include "engine/store/store.h"

namespace skald::store {

// Keeps the leases alive and knows whether the database is there: a thread prolongs the leases a few times in their
// span, and at once when somebody had trouble. Also lends its connection to calls that block. Thread-safe.
class Keeper {
 public:
  explicit Keeper(const MysqlOptions& options);
  ~Keeper() { stop(); }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  void start();
  // Releases the leases. Idempotent.
  void stop();

  absl::StatusOr<Lease> acquire(int first_slot, int last_slot, const std::string& holder);

  // Runs `call` on a session that commits only when told to; once more if its connection turns out to have been lost.
  absl::Status with_session(const std::function<absl::Status(Session&)>& call);

  // Somebody could not reach the database: looks at once.
  void trouble();
  // OK, or why the database is away: then there is no use in asking it.
  absl::Status presence() const;
  void watch(Watcher watcher);

 private:
  void loop();
  absl::Status prolong();
  void note(const absl::Status& status);

  const MysqlOptions options_;
  Holder holder_;
  std::mutex session_mutex_;
  Session session_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<int, Lease> held_;  // by first slot
  absl::Status presence_;
  Watcher watcher_;
  bool look_now_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace skald::store
