#pragma once

#include <absl/status/status.h>
#include <sqlite3.h>

namespace skald::store {

// Brings the tables to the version that this program speaks: creates them in an empty file, migrates older ones,
// forward only. FAILED_PRECONDITION if the file is of a newer program.
absl::Status migrate(sqlite3* db);

// A commit that changes nothing but is written to the log all the same. The schema must be of this program's version.
absl::Status write_version_again(sqlite3* db);

}  // namespace skald::store
