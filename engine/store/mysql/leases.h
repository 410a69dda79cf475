#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "engine/store/mysql/session.h"
#include "engine/store/store.h"

namespace skald::store {

// Who takes leases: one store, in one process.
struct Holder {
  std::string name;      // for people: "skald pid 12 on shop-1"
  std::string database;  // for people: MysqlAddress::text()
  std::string store;     // unique
  std::string process;   // this_process()
};

// This process, as another one on the same machine can look for it.
std::string this_process();
// Whether a process is known to have ended: it ran on this machine, since its last start, and is not there any more.
// Nothing is known of other machines and containers.
bool has_ended(const std::string& process);

// Leases end at a time, by the database's clock, unless they are prolonged. All functions run one transaction on the
// session, which does not commit by itself.

// Takes [first, last) with an epoch above all before. FAILED_PRECONDITION if a lease of another store stands that has
// not run out, and whose process is not known to have ended: says whose, and until when.
absl::StatusOr<Lease> take_lease(Session& session, int first_slot, int last_slot, const Holder& holder,
                                 absl::Duration ttl);

// Prolongs the holder's leases; how many those were.
absl::StatusOr<int64_t> prolong_leases(Session& session, const Holder& holder, absl::Duration ttl);

// Lets the next one have them at once.
absl::Status release_leases(Session& session, const Holder& holder);

}  // namespace skald::store
