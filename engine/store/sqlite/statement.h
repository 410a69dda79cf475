#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>
#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace skald::store {

// The status of a failed SQLite call, in words that say what to do. `doing` names what was tried.
absl::Status sqlite_error(sqlite3* db, std::string_view doing);

// A prepared statement, bound by position from 1 and reused. Not thread-safe; must be finalised before its connection closes.
class Statement {
 public:
  Statement() = default;
  ~Statement() { sqlite3_finalize(handle_); }
  Statement(Statement&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)), db_(other.db_) {}
  Statement& operator=(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  absl::Status prepare(sqlite3* db, std::string_view sql);
  bool is_prepared() const { return handle_ != nullptr; }

  // Texts and blobs must outlive the next step.
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, int64_t number);
  Statement& bind(int index, double number);
  Statement& bind_blob(int index, std::string_view bytes);
  Statement& bind_null(int index);

  // SQLITE_ROW, SQLITE_DONE, or an error code.
  int step() { return sqlite3_step(handle_); }
  // Steps to the end of a statement that returns no rows, and resets it.
  absl::Status run(std::string_view doing);
  void reset();

  int64_t number(int column) const { return sqlite3_column_int64(handle_, column); }
  double real(int column) const { return sqlite3_column_double(handle_, column); }
  bool is_null(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }
  std::string text(int column) const;
  // Unix nanoseconds, or `none` where the column is NULL.
  absl::Time time(int column, absl::Time none) const { return is_null(column) ? none : absl::FromUnixNanos(number(column)); }

 private:
  sqlite3_stmt* handle_ = nullptr;
  sqlite3* db_ = nullptr;
};

}  // namespace skald::store
