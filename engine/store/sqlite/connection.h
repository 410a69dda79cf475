#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <sqlite3.h>

namespace skald::store {

struct CloseConnection {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
// Used by one thread at a time.
using Connection = std::unique_ptr<sqlite3, CloseConnection>;

// `flags` are SQLITE_OPEN_...
absl::StatusOr<Connection> connect(const std::string& path, int flags);

// Runs statements that return nothing. `doing` names for messages what was tried.
absl::Status execute(sqlite3* db, const std::string& sql, std::string_view doing);

}  // namespace skald::store
