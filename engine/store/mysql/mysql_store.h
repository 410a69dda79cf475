#pragma once

#include <algorithm>
#include <memory>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "engine/store/mysql/address.h"
#include "engine/store/store.h"

namespace skald::store {

struct MysqlOptions {
  MysqlAddress address;
  int writers = 2;  // connections that commit; as many as there are owners is right
  int readers = 2;  // connections that read
  // How long a lease stands without being prolonged. A server that is not heard of for so long may be replaced; one
  // that is known to have ended, at once.
  absl::Duration lease_ttl = absl::Seconds(10);
  // How long a statement waits for another transaction's lock. A commit that meets conflicts is repeated, for about
  // twice as long in all.
  absl::Duration lock_wait = absl::Seconds(5);
  bool create = true;  // make the database and its tables; else NOT_FOUND if they are not there

  // How long a statement may go unanswered before the network counts as gone.
  absl::Duration answer_limit() const { return std::max(lease_ttl, 2 * lock_wait); }
};

// Opens the store in a MySQL, MariaDB or TiDB database, which is made, or brought to this program's schema, first.
// Several servers may have one database open; each slot has one owner, by its lease. Errors: PERMISSION_DENIED (user or
// rights), UNAVAILABLE (not to be reached), FAILED_PRECONDITION (newer schema), DATA_LOSS (tables that are not ours).
//
// While the database is away, all calls answer UNAVAILABLE, and it is looked for; the watcher hears of both.
absl::StatusOr<std::unique_ptr<Store>> open_mysql(MysqlOptions options);

}  // namespace skald::store
