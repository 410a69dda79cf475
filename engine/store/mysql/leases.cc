#include "engine/store/mysql/leases.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <signal.h>
#include <unistd.h>

#include "engine/store/mysql/schema.h"

namespace skald::store {
namespace {

constexpr const char* kTaking = "taking the lease";

// One start of one machine's kernel, and a space of process numbers within it.
std::string machine() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(file, boot);
  std::error_code error;
  const auto numbers = std::filesystem::read_symlink("/proc/self/ns/pid", error);
  return boot.empty() || error ? std::string() : absl::StrCat(boot, " ", numbers.string());
}

// When a process was started, in ticks since the machine was: numbers are used again, this is not. Empty if there is no
// such process (field 22 of proc(5)'s stat; the name before it may hold anything but ends with the last bracket).
std::string started_at(int64_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::stringstream text;
  text << file.rdbuf();
  const std::string stat = text.str();
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return "";
  const std::vector<std::string> fields = absl::StrSplit(stat.substr(name_end + 1), ' ', absl::SkipEmpty());
  constexpr size_t kState = 0;
  constexpr size_t kStart = 19;
  if (fields.size() <= kStart || fields[kState] == "Z" || fields[kState] == "X") return "";
  return fields[kStart];
}

struct Standing {
  int first_slot = 0;
  int last_slot = 0;
  int64_t epoch = 0;
  std::string holder;
  std::string process;
  std::string store;
  std::string until;
  bool expired = false;
};

absl::StatusOr<std::vector<Standing>> standing_leases(Session& session, const char* locking) {
  std::vector<Standing> all;
  const absl::Status status = session.query(
      absl::StrCat("SELECT first_slot, last_slot, epoch, holder, process, store, "
                   "DATE_FORMAT(expires_at, '%Y-%m-%d %H:%i:%S'), expires_at <= UTC_TIMESTAMP(6) FROM ownership "
                   "ORDER BY first_slot",
                   locking),
      nullptr,
      [&](const ResultRow& row) {
        all.push_back({static_cast<int>(row.number(0)), static_cast<int>(row.number(1)), row.number(2), row.text(3),
                       row.text(4), row.text(5), row.text(6), row.number(7) != 0});
      },
      kTaking);
  if (!status.ok()) return status;
  return all;
}

// The lease that nothing stands in the way of, with its epoch; or the refusal.
absl::StatusOr<Lease> free_lease(const std::vector<Standing>& standing, int first_slot, int last_slot,
                                 const Holder& holder) {
  Lease lease{first_slot, last_slot, 1};
  for (const Standing& other : standing) {
    lease.epoch = std::max(lease.epoch, other.epoch + 1);
    const bool overlaps = other.first_slot < last_slot && other.last_slot > first_slot;
    if (!overlaps || other.store == holder.store || other.expired || has_ended(other.process)) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        other.holder, " holds the slots ", other.first_slot, " to ", other.last_slot - 1, " of ", holder.database,
        " until ", other.until,
        " UTC, and prolongs that while it lives: stop it first, name another database, or try again then"));
  }
  return lease;
}

// Looks without locks first: the refusal does not wait for the transaction that a holder has open.
absl::StatusOr<Lease> take(Session& session, int first_slot, int last_slot, const Holder& holder, absl::Duration ttl) {
  absl::StatusOr<Lease> lease = Lease();
  for (const char* locking : {"", " FOR UPDATE"}) {
    if (*locking != '\0') {
      if (auto status = lock_ownership(session); !status.ok()) return status;
    }
    const auto standing = standing_leases(session, locking);
    if (!standing.ok()) return standing.status();
    lease = free_lease(*standing, first_slot, last_slot, holder);
    if (!lease.ok()) return lease;
  }
  const auto ended = session.update(
      "DELETE FROM ownership WHERE first_slot < ? AND last_slot > ?",
      [&](Parameters& values) { values.add(int64_t{last_slot}).add(int64_t{first_slot}); }, kTaking);
  if (!ended.ok()) return ended.status();
  const auto taken = session.update(
      R"sql(INSERT INTO ownership (first_slot, last_slot, epoch, holder, process, store, expires_at, last_batch)
          VALUES (?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND, ''))sql",
      [&](Parameters& values) {
        values.add(int64_t{first_slot})
            .add(int64_t{last_slot})
            .add(lease->epoch)
            .add(holder.name)
            .add(holder.process)
            .add(holder.store);
        values.add(absl::ToInt64Microseconds(ttl));
      },
      kTaking);
  if (!taken.ok()) return taken.status();
  return lease;
}

absl::StatusOr<int64_t> set_expiry(Session& session, const Holder& holder, absl::Duration from_now,
                                   std::string_view doing) {
  const auto found = session.update(
      "UPDATE ownership SET expires_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND WHERE store = ?",
      [&](Parameters& values) { values.add(absl::ToInt64Microseconds(from_now)).add(holder.store); }, doing);
  const absl::Status status = found.ok() ? session.commit() : found.status();
  if (!status.ok()) {
    session.rollback();
    return status;
  }
  return *found;
}

}  // namespace

std::string this_process() {
  const std::string where = machine();
  return where.empty() ? std::string() : absl::StrCat(where, " ", getpid(), " ", started_at(getpid()));
}

bool has_ended(const std::string& process) {
  const std::vector<std::string> parts = absl::StrSplit(process, ' ');
  int64_t pid = 0;
  if (parts.size() != 4 || absl::StrCat(parts[0], " ", parts[1]) != machine() || !absl::SimpleAtoi(parts[2], &pid))
    return false;
  return started_at(pid) != parts[3];
}

absl::StatusOr<Lease> take_lease(Session& session, int first_slot, int last_slot, const Holder& holder,
                                 absl::Duration ttl) {
  absl::StatusOr<Lease> lease = take(session, first_slot, last_slot, holder, ttl);
  if (lease.ok()) {
    if (auto status = session.commit(); !status.ok()) lease = status;
  }
  if (!lease.ok()) session.rollback();
  return lease;
}

absl::StatusOr<int64_t> prolong_leases(Session& session, const Holder& holder, absl::Duration ttl) {
  return set_expiry(session, holder, ttl, "prolonging the lease");
}

absl::Status release_leases(Session& session, const Holder& holder) {
  return set_expiry(session, holder, absl::ZeroDuration(), "releasing the lease").status();
}

}  // namespace skald::store
