#include "engine/store/sqlite/statement.h"

#include <absl/strings/str_cat.h>

namespace skald::store {
namespace {

absl::string_view view(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

absl::Status sqlite_error(sqlite3* db, std::string_view doing) {
  const int code = db == nullptr ? SQLITE_NOMEM : sqlite3_errcode(db);
  const char* reason = db == nullptr ? "out of memory" : sqlite3_errmsg(db);
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(
          absl::StrCat("the disk is full (", view(doing), "); nothing was written, make room and try again"));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(absl::StrCat("the data file is damaged or no Skald data file (", view(doing), ": ",
                                              reason, "); restore it from a backup or name another file"));
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return absl::PermissionDeniedError(absl::StrCat("the data file cannot be opened for writing (", view(doing), ": ",
                                                      reason, "); see to the rights of the file and its folder"));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::FailedPreconditionError(
          absl::StrCat("another process works on the data file (", view(doing), "); stop it first"));
    case SQLITE_IOERR:
      return absl::UnavailableError(absl::StrCat("the disk failed (", view(doing), ": ", reason, ")"));
    default:
      return absl::InternalError(absl::StrCat(view(doing), ": ", reason));
  }
}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    sqlite3_finalize(handle_);
    handle_ = std::exchange(other.handle_, nullptr);
    db_ = other.db_;
  }
  return *this;
}

absl::Status Statement::prepare(sqlite3* db, std::string_view sql) {
  sqlite3_finalize(std::exchange(handle_, nullptr));
  db_ = db;
  if (sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &handle_, nullptr) !=
      SQLITE_OK) {
    return sqlite_error(db, "preparing a statement");
  }
  return absl::OkStatus();
}

Statement& Statement::bind(int index, std::string_view text) {
  sqlite3_bind_text(handle_, index, text.data() == nullptr ? "" : text.data(), static_cast<int>(text.size()),
                    SQLITE_STATIC);
  return *this;
}
Statement& Statement::bind(int index, int64_t number) {
  sqlite3_bind_int64(handle_, index, number);
  return *this;
}
Statement& Statement::bind(int index, double number) {
  sqlite3_bind_double(handle_, index, number);
  return *this;
}
Statement& Statement::bind_blob(int index, std::string_view bytes) {
  sqlite3_bind_blob(handle_, index, bytes.data() == nullptr ? "" : bytes.data(), static_cast<int>(bytes.size()),
                    SQLITE_STATIC);
  return *this;
}
Statement& Statement::bind_null(int index) {
  sqlite3_bind_null(handle_, index);
  return *this;
}

absl::Status Statement::run(std::string_view doing) {
  const int code = step();
  absl::Status status;
  if (code != SQLITE_DONE && code != SQLITE_ROW) status = sqlite_error(db_, doing);
  reset();
  return status;
}

void Statement::reset() {
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
}

std::string Statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(handle_, column);
  const int size = sqlite3_column_bytes(handle_, column);
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

}  // namespace skald::store
