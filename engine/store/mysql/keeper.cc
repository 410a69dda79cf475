#include "engine/store/mysql/keeper.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>

#include <absl/strings/str_cat.h>
#include <pthread.h>
#include <unistd.h>

namespace skald::store {
namespace {

constexpr std::chrono::milliseconds kLookAgain(250);  // while the database is away

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "an unnamed machine";
}

std::string random_name() {
  std::random_device random;
  return absl::StrCat(absl::Hex(random(), absl::kZeroPad8), absl::Hex(random(), absl::kZeroPad8),
                      absl::Hex(random(), absl::kZeroPad8));
}

}  // namespace

Keeper::Keeper(const MysqlOptions& options)
    : options_(options),
      holder_{"", options.address.text(), random_name(), this_process()},
      session_(options.address, {.autocommit = false,
                                 .idle_limit = options.lease_ttl,
                                 .lock_wait = options.lock_wait,
                                 .answer_limit = options.answer_limit()}) {}

void Keeper::start() {
  thread_ = std::thread([this] { loop(); });
}

void Keeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  {
    const std::lock_guard lock(session_mutex_);
    if (!session_.is_open()) return;  // the database is away
  }
  with_session([this](Session& session) { return release_leases(session, holder_); }).IgnoreError();
}

void Keeper::loop() {
  pthread_setname_np(pthread_self(), "skald-store-k");
  const auto interval = absl::ToChronoMilliseconds(options_.lease_ttl / 4);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, presence_.ok() ? interval : kLookAgain, [this] { return stopping_ || look_now_; });
    if (stopping_) return;
    look_now_ = false;
    lock.unlock();
    note(prolong());
    lock.lock();
  }
}

// ABORTED if a lease is gone.
absl::Status Keeper::prolong() {
  int64_t prolonged = 0;
  int64_t expected = 0;
  bool locked = false;
  absl::Status status = with_session([&](Session& session) {
    {
      const std::lock_guard lock(mutex_);
      expected = static_cast<int64_t>(held_.size());
    }
    const auto found = prolong_leases(session, holder_, options_.lease_ttl);
    if (found.ok()) prolonged = *found;
    locked = !found.ok() && session.fault() == Fault::kConflict;
    return found.status();
  });
  // By a batch, which prolongs the lease itself, or by who takes it: the database is there.
  if (locked) return absl::OkStatus();
  if (!status.ok()) return status;
  return prolonged < expected ? lease_lost("another server") : absl::OkStatus();
}

// The watcher hears of changes only, in their order: it is called by this thread alone.
void Keeper::note(const absl::Status& status) {
  const bool away = !status.ok() && !absl::IsAborted(status);
  std::unique_lock lock(mutex_);
  const bool was_away = !presence_.ok();
  presence_ = away ? absl::UnavailableError(status.message()) : absl::OkStatus();
  const absl::Status news = presence_;
  if (absl::IsAborted(status)) held_.clear();
  if (watcher_ == nullptr) return;
  const Watcher watcher = watcher_;
  lock.unlock();
  if (absl::IsAborted(status)) return watcher(status);
  if (away != was_away) watcher(news);
}

absl::Status Keeper::with_session(const std::function<absl::Status(Session&)>& call) {
  const std::lock_guard lock(session_mutex_);
  const bool was_open = session_.is_open();
  absl::Status status = call(session_);
  const bool again = was_open && absl::IsUnavailable(status) && session_.fault() == Fault::kConnection;
  if (again) status = call(session_);
  if (!status.ok()) session_.rollback();
  return status;
}

absl::StatusOr<Lease> Keeper::acquire(int first_slot, int last_slot, const std::string& holder) {
  absl::StatusOr<Lease> lease = absl::UnavailableError("the lease was not asked for");
  const absl::Status status = with_session([&](Session& session) {
    holder_.name = absl::StrCat(holder, " on ", host_name());
    lease = take_lease(session, first_slot, last_slot, holder_, options_.lease_ttl);
    if (!lease.ok()) return lease.status();
    const std::lock_guard lock(mutex_);
    std::erase_if(held_, [&](const auto& entry) {
      return entry.second.first_slot < last_slot && entry.second.last_slot > first_slot;
    });
    held_[first_slot] = *lease;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return lease;
}

void Keeper::trouble() {
  {
    const std::lock_guard lock(mutex_);
    look_now_ = true;
  }
  wake_.notify_all();
}

absl::Status Keeper::presence() const {
  const std::lock_guard lock(mutex_);
  return presence_;
}

void Keeper::watch(Watcher watcher) {
  const std::lock_guard lock(mutex_);
  watcher_ = std::move(watcher);
}

}  // namespace skald::store
