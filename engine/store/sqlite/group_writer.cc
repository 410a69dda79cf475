#include "engine/store/sqlite/group_writer.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <pthread.h>

#include "engine/store/sqlite/connection.h"
#include "engine/store/sqlite/schema.h"

namespace skald::store {
namespace {

absl::Status ended_by_neighbour() {
  return absl::UnavailableError("a neighbour's failure ended the transaction; try again");
}

}  // namespace

absl::Status GroupWriter::start(sqlite3* db) {
  db_ = db;
  if (auto status = writer_.prepare(db); !status.ok()) return status;
  thread_ = std::thread([this] { loop(); });
  return absl::OkStatus();
}

void GroupWriter::stop() {
  {
    const std::lock_guard lock(queue_mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void GroupWriter::commit(Batch batch, CommitDone done) {
  enqueue({std::move(batch), std::move(done), nullptr, absl::OkStatus()});
}

void GroupWriter::outcome_of(const Lease& lease, const std::string& batch_id, Done<bool> done) {
  Batch asked_for;
  asked_for.id = batch_id;
  asked_for.lease = lease;
  enqueue({std::move(asked_for), nullptr, std::move(done), absl::OkStatus()});
}

void GroupWriter::enqueue(Queued queued) {
  {
    const std::lock_guard lock(queue_mutex_);
    queue_.push_back(std::move(queued));
  }
  wake_.notify_one();
}

void GroupWriter::loop() {
  pthread_setname_np(pthread_self(), "skald-store-w");
  while (true) {
    std::vector<Queued> group = take_group();
    if (group.empty()) return;
    if (group[0].done == nullptr) {
      absl::StatusOr<bool> durable = outcome(group[0]);
      group[0].asked(std::move(durable));
      continue;
    }
    write_group(group);
    for (Queued& queued : group) queued.done(queued.status);
  }
}

// Waits; empty at the end. A question comes alone.
std::vector<GroupWriter::Queued> GroupWriter::take_group() {
  std::unique_lock lock(queue_mutex_);
  wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  std::vector<Queued> group;
  size_t rows = 0;
  size_t bytes = 0;
  while (!queue_.empty() && group.size() < limits_.batches) {
    Queued& next = queue_.front();
    const bool question = next.done == nullptr;
    rows += next.batch.rows();
    bytes += next.batch.bytes();
    if (!group.empty() && (question || rows > limits_.rows || bytes > limits_.bytes)) break;
    group.push_back(std::move(next));
    queue_.pop_front();
    if (question) break;
  }
  return group;
}

void GroupWriter::write_group(std::vector<Queued>& group) {
  const std::lock_guard lock(db_mutex_);
  absl::Status outcome = execute(db_, "BEGIN IMMEDIATE", "beginning a commit");
  if (outcome.ok()) {
    for (Queued& queued : group) queued.status = write_one(queued.batch);
    outcome = commit_transaction(group);
  }
  if (outcome.ok()) return;
  if (sqlite3_get_autocommit(db_) == 0) execute(db_, "ROLLBACK", "undoing a commit").IgnoreError();
  for (Queued& queued : group) {
    if (queued.status.ok()) queued.status = outcome;
  }
}

absl::Status GroupWriter::commit_transaction(const std::vector<Queued>& group) {
  // A full or failing disk may end the transaction under way: then nothing of the group was written.
  if (sqlite3_get_autocommit(db_) != 0) return ended_by_neighbour();
  const absl::Status status = execute(db_, "COMMIT", "committing");
  if (status.ok()) {
    if (std::any_of(group.begin(), group.end(), [](const Queued& queued) { return queued.status.ok(); })) {
      in_doubt_ = false;
    }
    return status;
  }
  // A full disk refuses the log's last page, without which the log's others do not count. After any other failure of
  // the disk nobody knows what it holds.
  if ((sqlite3_errcode(db_) & 0xFF) != SQLITE_IOERR) return status;
  in_doubt_ = true;
  return absl::UnknownError(
      absl::StrCat(status.message(), "; whether the commit is durable will show: look at the disk"));
}

absl::Status GroupWriter::write_one(const Batch& batch) {
  if (sqlite3_get_autocommit(db_) != 0) return ended_by_neighbour();
  if (auto status = execute(db_, "SAVEPOINT batch", "beginning a batch"); !status.ok()) return status;
  absl::Status status = writer_.write(batch);
  if (sqlite3_get_autocommit(db_) != 0) return status;
  if (!status.ok()) execute(db_, "ROLLBACK TO batch", "undoing a batch").IgnoreError();
  if (auto released = execute(db_, "RELEASE batch", "ending a batch"); status.ok()) status = released;
  return status;
}

absl::StatusOr<bool> GroupWriter::outcome(const Queued& question) {
  const std::lock_guard lock(db_mutex_);
  if (in_doubt_) {
    if (auto status = seal(); !status.ok()) return status;
  }
  return writer_.is_last_batch(question.batch.lease, question.batch.id);
}

// Writes over what the failed commit left in the log, so that the answer given stays true after a crash.
absl::Status GroupWriter::seal() {
  absl::Status status = write_version_again(db_);
  if (status.ok()) in_doubt_ = false;
  return status;
}

}  // namespace skald::store
