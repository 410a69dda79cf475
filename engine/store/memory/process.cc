#include "engine/store/memory/process.h"

#include <set>
#include <utility>

#include <absl/strings/str_cat.h>

namespace skald::store {
namespace {

// As many batches as one commit to a real disk takes together.
constexpr size_t kGroupBatches = 64;

}  // namespace

MemoryStore::Process::Process(std::shared_ptr<MemoryDisk> disk, base::Executor& executor, const base::Clock& clock,
                              std::unique_ptr<base::Random> random, const FaultOptions& faults)
    : disk_(std::move(disk)), executor_(executor), clock_(clock), random_(std::move(random)), faults_(faults) {}

void MemoryStore::Process::set_faults(const FaultOptions& faults) {
  const std::lock_guard lock(mutex_);
  faults_ = faults;
}

void MemoryStore::Process::on_fault(FaultWatcher watcher) {
  const std::lock_guard lock(mutex_);
  on_fault_ = std::move(watcher);
}

absl::Status MemoryStore::Process::alive() {
  const std::lock_guard lock(mutex_);
  return crashed_ ? absl::UnavailableError("the store has crashed; open it again") : absl::OkStatus();
}

void MemoryStore::Process::schedule(absl::Duration max_delay, absl::AnyInvocable<void(Process&)> step) {
  if (stopped_) return;
  base::Task task = [self = shared_from_this(), step = std::move(step)]() mutable { self->run(step); };
  if (max_delay <= absl::ZeroDuration()) return executor_.post(std::move(task));
  const auto longest = static_cast<uint64_t>(absl::ToInt64Nanoseconds(max_delay));
  executor_.post_at(clock_.now() + absl::Nanoseconds(random_->below(longest + 1)), std::move(task));
}

void MemoryStore::Process::run(absl::AnyInvocable<void(Process&)>& step) {
  {
    const std::lock_guard lock(mutex_);
    if (crashed_ || stopped_) return;
    ++running_;
    runner_ = std::this_thread::get_id();
  }
  step(*this);
  {
    const std::lock_guard lock(mutex_);
    --running_;
  }
  idle_.notify_all();
}

void MemoryStore::Process::commit(Batch batch, CommitDone done) {
  const std::lock_guard lock(mutex_);
  if (crashed_) return;
  queue_.push_back({std::move(batch), std::move(done), absl::OkStatus()});
  if (std::exchange(busy_, true)) return;
  schedule(absl::ZeroDuration(), [](Process& self) { self.take_group(); });
}

void MemoryStore::Process::take_group() {
  const std::lock_guard lock(mutex_);
  while (!queue_.empty() && group_.size() < kGroupBatches) {
    group_.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  group_written_ = false;
  schedule(faults_.max_commit_delay, [](Process& self) { self.write_group(); });
}

void MemoryStore::Process::write_group() {
  const std::lock_guard lock(mutex_);
  if (crashed_) return;
  write(draw_fate());
  schedule(faults_.max_commit_delay, [](Process& self) { self.answer_group(); });
}

// Each fault has a number in its text, so that what comes of it can be told from what does not.
absl::Status MemoryStore::Process::fault(absl::StatusCode code, const char* what) {
  absl::Status status(code, absl::StrCat(what, " (fault ", ++faults_told_, ")"));
  if (on_fault_) on_fault_(status);
  return status;
}

MemoryStore::Process::Fate MemoryStore::Process::draw_fate() {
  double draw = random_->unit();
  const auto happens = [&draw](double probability) {
    const bool hit = draw >= 0 && draw < probability;
    draw -= probability;
    return hit;
  };
  if (happens(faults_.fail_before_commit)) {
    return random_->below(2) == 0
               ? Fate{fault(absl::StatusCode::kUnavailable, "the disk failed before the commit; try again"), false}
               : Fate{fault(absl::StatusCode::kResourceExhausted, "the disk is full; make room and try again"), false};
  }
  const bool committed = happens(faults_.unknown_outcome_committed);
  if (!committed && !happens(faults_.unknown_outcome_lost)) return {};
  return {fault(absl::StatusCode::kUnknown, "the commit's answer was lost; ask for its outcome"), committed};
}

void MemoryStore::Process::write(const Fate& fate) {
  for (Pending& pending : group_) {
    if (fate.written) pending.status = disk_->with([&](Tables& tables) { return tables.apply(pending.batch); });
    if (pending.status.ok()) pending.status = fate.status;
  }
  group_written_ = true;
}

void MemoryStore::Process::answer_group() {
  while (true) {
    Pending next;
    {
      const std::lock_guard lock(mutex_);
      if (crashed_ || stopped_) return;
      if (group_.empty()) {
        busy_ = !queue_.empty();
        if (busy_) schedule(absl::ZeroDuration(), [](Process& self) { self.take_group(); });
        return;
      }
      next = std::move(group_.front());
      group_.pop_front();
    }
    next.done(std::move(next.status));
  }
}

void MemoryStore::Process::ask(Question question) {
  const std::lock_guard lock(mutex_);
  if (crashed_) return;
  const uint64_t read = next_read_++;
  reads_[read].question = std::move(question);
  schedule(faults_.max_read_delay, [read](Process& self) { self.look(read); });
}

void MemoryStore::Process::look(uint64_t read) {
  Question question;
  absl::Status failure;
  {
    const std::lock_guard lock(mutex_);
    const auto found = reads_.find(read);
    if (found == reads_.end()) return;
    question = std::move(found->second.question);
    if (random_->unit() < faults_.read_failure)
      failure = fault(absl::StatusCode::kUnavailable, "the store did not answer; try again");
  }
  Answer result = disk_->with([&](const Tables& tables) { return question(tables, std::move(failure)); });
  {
    const std::lock_guard lock(mutex_);
    const auto found = reads_.find(read);
    if (found == reads_.end()) return;
    found->second.answer = std::move(result);
    if (faults_.max_read_delay > absl::ZeroDuration()) {
      return schedule(faults_.max_read_delay, [read](Process& self) { self.answer(read); });
    }
  }
  answer(read);
}

void MemoryStore::Process::answer(uint64_t read) {
  Answer next;
  {
    const std::lock_guard lock(mutex_);
    const auto found = reads_.find(read);
    if (found == reads_.end()) return;
    next = std::move(found->second.answer);
    reads_.erase(found);
  }
  next();
}

void MemoryStore::Process::crash() {
  // What the callers left here is destroyed without the lock.
  std::deque<Pending> unanswered;
  std::map<uint64_t, Read> unasked;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(crashed_, true)) return;
    std::deque<Pending> group = std::exchange(group_, {});
    if (!group_written_) {
      for (Pending& pending : group) unanswered.push_back(std::move(pending));
      group.clear();
    }
    for (Pending& pending : queue_) unanswered.push_back(std::move(pending));
    queue_.clear();
    std::set<int> lost;  // leases, by their first slot, whose later batches are lost too
    for (const Pending& pending : unanswered) {
      const int lease = pending.batch.lease.first_slot;
      if (lost.contains(lease)) continue;
      if (random_->below(2) == 0) {
        lost.insert(lease);
      } else {
        disk_->with([&](Tables& tables) { tables.apply(pending.batch).IgnoreError(); });
      }
    }
    for (Pending& pending : group) unanswered.push_back(std::move(pending));
    unasked = std::exchange(reads_, {});
  }
}

void MemoryStore::Process::stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  idle_.wait(lock, [this] { return running_ == 0 || runner_ == std::this_thread::get_id(); });
  while (!crashed_ && !(group_.empty() && queue_.empty() && reads_.empty())) {
    finish_commits(lock);
    finish_reads(lock);
  }
}

void MemoryStore::Process::finish_commits(std::unique_lock<std::mutex>& lock) {
  if (group_.empty()) {
    group_ = std::exchange(queue_, {});
    group_written_ = false;
  }
  if (!group_written_) write({});
  while (!group_.empty()) {
    Pending next = std::move(group_.front());
    group_.pop_front();
    lock.unlock();
    next.done(std::move(next.status));
    lock.lock();
  }
}

void MemoryStore::Process::finish_reads(std::unique_lock<std::mutex>& lock) {
  while (!reads_.empty()) {
    Read next = std::move(reads_.begin()->second);
    reads_.erase(reads_.begin());
    lock.unlock();
    if (next.answer == nullptr) {
      next.answer = disk_->with([&](const Tables& tables) { return next.question(tables, absl::OkStatus()); });
    }
    next.answer();
    next = {};
    lock.lock();
  }
}

}  // namespace skald::store
