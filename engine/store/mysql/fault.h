#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace skald::store {

// What went wrong in the database, as a store has to treat it.
enum class Fault {
  kNone,
  kConnection,  // lost, or not to be had; whatever was not committed is undone
  kConflict,    // deadlock or lock wait timeout: the transaction may be repeated
  kReadOnly,    // a failover is under way, or the address is a replica's
  kCrowded,     // too many connections
  kFull,        // no space
  kTooLarge,    // beyond max_allowed_packet
  kDuplicate,   // a key that exists already
  kDenied,      // user, password or privileges
  kDamaged,     // a table or index is corrupt
  kOther,       // a defect
};

// By the number and text of an error of MySQL, MariaDB or TiDB (https://dev.mysql.com/doc/mysql-errors/8.0/en/,
// https://mariadb.com/kb/en/mariadb-error-codes/, https://docs.pingcap.com/tidb/stable/error-codes).
Fault fault_of(int code, std::string_view message);

// Whether the connection is of no use after it.
bool ends_connection(Fault fault);

// The status that the store's callers get: UNAVAILABLE, RESOURCE_EXHAUSTED, PERMISSION_DENIED, DATA_LOSS or INTERNAL,
// with a sentence that says what to do. `doing` names what was tried.
absl::Status status_of(Fault fault, int code, std::string_view message, std::string_view doing);

}  // namespace skald::store
