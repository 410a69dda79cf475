#pragma once

#include <absl/status/status.h>

#include "engine/store/mysql/address.h"
#include "engine/store/mysql/session.h"

namespace skald::store {

// Makes the database if it is not there, and its tables, or brings them to this program's version. Several servers may
// do so at once. FAILED_PRECONDITION for a newer version; DATA_LOSS for a database that holds tables, but not Skald's.
// Without `create` nothing is made or changed: NOT_FOUND if they are not there, FAILED_PRECONDITION if they are older.
absl::Status prepare_database(const MysqlAddress& address, bool create = true);

// Makes everybody who takes or looks for leases go one after the other, until the transaction ends.
absl::Status lock_ownership(Session& session);

}  // namespace skald::store
