#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/store/memory/memory_store.h"

namespace skald::store {

// The volatile half of a memory store: what is under way between the callers and the disk. Tasks share its ownership,
// so that one that comes late finds it stopped.
class MemoryStore::Process : public std::enable_shared_from_this<Process> {
 public:
  using Answer = absl::AnyInvocable<void()>;
  // Looks at the tables and returns the answer to give; fails with the status if it is an error.
  using Question = absl::AnyInvocable<Answer(const Tables&, absl::Status)>;

  Process(std::shared_ptr<MemoryDisk> disk, base::Executor& executor, const base::Clock& clock,
          std::unique_ptr<base::Random> random, const FaultOptions& faults);

  void commit(Batch batch, CommitDone done);
  void ask(Question question);
  void set_faults(const FaultOptions& faults);
  void on_fault(FaultWatcher watcher);
  void crash();
  void stop();
  // UNAVAILABLE after a crash.
  absl::Status alive();
  MemoryDisk& disk() { return *disk_; }

 private:
  struct Pending {
    Batch batch;
    CommitDone done;
    absl::Status status;
  };
  struct Read {
    Question question;
    Answer answer;
  };

  // The steps of a commit and of a read.
  void take_group();
  void write_group();
  void answer_group();
  void look(uint64_t read);
  void answer(uint64_t read);

  // What becomes of a group as a whole.
  struct Fate {
    absl::Status status;
    bool written = true;
  };
  Fate draw_fate();
  absl::Status fault(absl::StatusCode code, const char* what);
  void write(const Fate& fate);
  void schedule(absl::Duration max_delay, absl::AnyInvocable<void(Process&)> step);
  // Runs a step unless the store is gone; a stop on another thread waits until it has ended.
  void run(absl::AnyInvocable<void(Process&)>& step);
  void finish_commits(std::unique_lock<std::mutex>& lock);
  void finish_reads(std::unique_lock<std::mutex>& lock);

  const std::shared_ptr<MemoryDisk> disk_;
  base::Executor& executor_;
  const base::Clock& clock_;

  std::mutex mutex_;  // taken before the disk's own; never held while a caller is answered
  const std::unique_ptr<base::Random> random_;
  FaultOptions faults_;
  FaultWatcher on_fault_;
  uint64_t faults_told_ = 0;
  std::deque<Pending> queue_;
  std::deque<Pending> group_;   // under way
  bool busy_ = false;           // a group is under way, or about to be taken
  bool group_written_ = false;  // its outcome stands, its callers do not know it yet
  std::map<uint64_t, Read> reads_;
  uint64_t next_read_ = 0;
  bool crashed_ = false;
  bool stopped_ = false;  // no task does anything any more
  int running_ = 0;
  std::thread::id runner_;
  std::condition_variable idle_;
};

}  // namespace skald::store
