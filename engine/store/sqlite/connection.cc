#include "engine/store/sqlite/connection.h"

#include "engine/store/sqlite/statement.h"

namespace skald::store {

absl::StatusOr<Connection> connect(const std::string& path, int flags) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection db(raw);
  if (code != SQLITE_OK) return sqlite_error(db.get(), "opening " + path);
  sqlite3_extended_result_codes(db.get(), 1);
  sqlite3_busy_timeout(db.get(), 5'000);
  return db;
}

absl::Status execute(sqlite3* db, const std::string& sql, std::string_view doing) {
  const int code = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : sqlite_error(db, doing);
}

}  // namespace skald::store
