#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <sqlite3.h>

#include "engine/store/sqlite/batch_writer.h"
#include "engine/store/sqlite/sqlite_store.h"
#include "engine/store/store.h"

namespace skald::store {

// Group commit: a thread that puts the batches that wait into one transaction, each behind a savepoint, so that one
// that is refused takes no other along. Thread-safe.
class GroupWriter {
 public:
  // `db_mutex` is held while the thread uses the connection.
  GroupWriter(const GroupLimits& limits, std::mutex& db_mutex) : limits_(limits), db_mutex_(db_mutex) {}
  ~GroupWriter() { stop(); }
  GroupWriter(const GroupWriter&) = delete;
  GroupWriter& operator=(const GroupWriter&) = delete;

  // `db` must outlive the writer.
  absl::Status start(sqlite3* db);

  // Does and answers all that waits. Idempotent; nothing may be given to the writer afterwards.
  void stop();

  void commit(Batch batch, CommitDone done);
  // Answered after all that was given to commit before.
  void outcome_of(const Lease& lease, const std::string& batch_id, Done<bool> done);

 private:
  struct Queued {
    Batch batch;
    CommitDone done;  // of a batch; null: `asked` is the question about the batch's id and lease
    Done<bool> asked;
    absl::Status status;
  };

  void enqueue(Queued queued);
  void loop();
  std::vector<Queued> take_group();
  void write_group(std::vector<Queued>& group);
  absl::Status commit_transaction(const std::vector<Queued>& group);
  absl::Status write_one(const Batch& batch);
  absl::StatusOr<bool> outcome(const Queued& question);
  absl::Status seal();

  const GroupLimits limits_;
  std::mutex& db_mutex_;
  sqlite3* db_ = nullptr;
  BatchWriter writer_;
  // A commit failed at the disk: what it wrote to the log may count after a crash, until another commit has written
  // over it.
  bool in_doubt_ = false;

  std::mutex queue_mutex_;
  std::condition_variable wake_;
  std::deque<Queued> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace skald::store
