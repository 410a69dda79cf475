#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>

#include "engine/store/mysql/mysql_store.h"
#include "engine/store/mysql/session.h"
#include "engine/store/store.h"

namespace skald::store {

// Commits batches: one transaction each, those of one lease one after the other, those of different leases side by
// side, each on a connection of its thread's own. Thread-safe.
//
// What is certainly undone is repeated a few times here (deadlock, lock wait timeout, a connection that was lost before
// COMMIT was sent), but not begun again after options.lock_wait; a COMMIT whose answer was lost is UNKNOWN, and asked
// for by its batch id.
class WriterPool {
 public:
  // `on_trouble` hears, on the pool's threads, that the database could not be reached.
  WriterPool(const MysqlOptions& options, std::function<void(const absl::Status&)> on_trouble);
  ~WriterPool() { stop(); }
  WriterPool(const WriterPool&) = delete;
  WriterPool& operator=(const WriterPool&) = delete;

  void start();
  // Does and answers all that waits. Idempotent; nothing may be given to the pool afterwards.
  void stop();

  void commit(Batch batch, CommitDone done);
  // Answered after all that was given to commit for the lease before.
  void outcome_of(const Lease& lease, const std::string& batch_id, Done<bool> done);

 private:
  struct Queued {
    Batch batch;
    CommitDone done;  // of a batch; null: `asked` is the question about the batch's id and lease
    Done<bool> asked;
  };
  // The batches of one lease. In `ready_` if it has some and no thread works on it.
  struct Lane {
    std::deque<Queued> queue;
    bool busy = false;
  };

  void enqueue(Queued queued);
  void loop();
  void work(Session& session, Queued& queued);
  absl::Status write(Session& session, const Batch& batch);
  absl::Status write_once(Session& session, const Batch& batch, bool& repeatable);

  const MysqlOptions options_;
  const std::function<void(const absl::Status&)> on_trouble_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<int, Lane> lanes_;  // by the lease's first slot
  std::deque<Lane*> ready_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace skald::store
