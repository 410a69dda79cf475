#include "engine/store/mysql/writer_pool.h"

#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <pthread.h>

#include "engine/store/mysql/batch_writer.h"

namespace skald::store {
namespace {

constexpr int kAttempts = 6;
constexpr std::chrono::milliseconds kFirstPause(2);  // doubled with each attempt

// Of a COMMIT that was answered: nothing became durable. Anything else may have.
bool was_undone(Fault fault) {
  return fault == Fault::kConflict || fault == Fault::kReadOnly || fault == Fault::kFull || fault == Fault::kTooLarge;
}

void pause_before(int attempt) {
  thread_local std::minstd_rand random(std::random_device{}());
  const auto longest = kFirstPause * (1 << attempt);
  std::this_thread::sleep_for(longest / 2 + std::chrono::microseconds(random() % 1000) * (1 << attempt));
}

}  // namespace

WriterPool::WriterPool(const MysqlOptions& options, std::function<void(const absl::Status&)> on_trouble)
    : options_(options), on_trouble_(std::move(on_trouble)) {}

void WriterPool::start() {
  for (int i = 0; i < options_.writers; ++i) threads_.emplace_back([this] { loop(); });
}

void WriterPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void WriterPool::commit(Batch batch, CommitDone done) { enqueue({std::move(batch), std::move(done), nullptr}); }

void WriterPool::outcome_of(const Lease& lease, const std::string& batch_id, Done<bool> done) {
  Batch asked_for;
  asked_for.id = batch_id;
  asked_for.lease = lease;
  enqueue({std::move(asked_for), nullptr, std::move(done)});
}

void WriterPool::enqueue(Queued queued) {
  {
    const std::lock_guard lock(mutex_);
    Lane& lane = lanes_[queued.batch.lease.first_slot];
    lane.queue.push_back(std::move(queued));
    if (lane.busy || lane.queue.size() > 1) return;
    ready_.push_back(&lane);
  }
  wake_.notify_one();
}

void WriterPool::loop() {
  pthread_setname_np(pthread_self(), "skald-store-w");
  // A session that is not heard of loses its locks; an idle one says from time to time that it lives.
  Session session(options_.address, {.autocommit = false,
                                     .idle_limit = options_.lease_ttl,
                                     .lock_wait = options_.lock_wait,
                                     .answer_limit = options_.answer_limit()});
  const auto heartbeat = absl::ToChronoMilliseconds(options_.lease_ttl / 3);
  std::unique_lock lock(mutex_);
  while (true) {
    const bool woken = wake_.wait_for(lock, heartbeat, [this] { return stopping_ || !ready_.empty(); });
    if (!woken) {
      lock.unlock();
      if (session.is_open()) session.execute("DO 0", "keeping a connection").IgnoreError();
      lock.lock();
      continue;
    }
    if (ready_.empty()) return;
    Lane& lane = *ready_.front();
    ready_.pop_front();
    lane.busy = true;
    Queued next = std::move(lane.queue.front());
    lane.queue.pop_front();
    lock.unlock();
    work(session, next);
    lock.lock();
    lane.busy = false;
    if (lane.queue.empty()) continue;
    ready_.push_back(&lane);
    wake_.notify_one();
  }
}

void WriterPool::work(Session& session, Queued& queued) {
  if (queued.done == nullptr) {
    const bool was_open = session.is_open();
    absl::StatusOr<bool> durable = is_last_batch(session, queued.batch.lease, queued.batch.id, options_.lease_ttl);
    const bool stale = was_open && absl::IsUnavailable(durable.status()) && session.fault() == Fault::kConnection;
    if (stale) durable = is_last_batch(session, queued.batch.lease, queued.batch.id, options_.lease_ttl);
    if (absl::IsUnavailable(durable.status())) on_trouble_(durable.status());
    return queued.asked(std::move(durable));
  }
  absl::Status status = write(session, queued.batch);
  if (absl::IsUnavailable(status) || absl::IsUnknown(status)) on_trouble_(status);
  queued.done(std::move(status));
}

absl::Status WriterPool::write(Session& session, const Batch& batch) {
  const absl::Time last_beginning = absl::Now() + options_.lock_wait;
  for (int attempt = 0;; ++attempt) {
    bool repeatable = false;
    absl::Status status = write_once(session, batch, repeatable);
    if (status.ok() || !repeatable || attempt + 1 == kAttempts || absl::Now() >= last_beginning) return status;
    pause_before(attempt);
  }
}

absl::Status WriterPool::write_once(Session& session, const Batch& batch, bool& repeatable) {
  // A connection may be lost at any time; one that cannot be made is not tried at once again.
  if (auto status = session.open(); !status.ok()) return status;
  absl::Status status = write_batch(session, batch, options_.lease_ttl);
  if (!status.ok()) {
    const Fault fault = session.fault();
    repeatable = absl::IsUnavailable(status) && (fault == Fault::kConflict || fault == Fault::kConnection);
    session.rollback();
    return status;
  }
  status = session.commit();
  if (status.ok()) return status;
  if (was_undone(session.fault())) {
    repeatable = session.fault() == Fault::kConflict;
    session.rollback();
    return status;
  }
  session.drop();
  return absl::UnknownError(absl::StrCat(std::string(status.message()), "; whether the commit is durable will show"));
}

}  // namespace skald::store
