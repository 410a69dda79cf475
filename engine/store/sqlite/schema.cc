#include "engine/store/sqlite/schema.h"

#include <string>

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include "engine/store/sqlite/connection.h"
#include "engine/store/sqlite/data_file.h"
#include "engine/store/sqlite/statement.h"

namespace skald::store {
namespace {

// Each entry brings the schema from version i to i + 1. Entries never change; new ones are added.
// Times are Unix nanoseconds, NULL = none. Blobs are protobuf messages.
constexpr const char* kMigrations[] = {R"sql(
CREATE TABLE namespaces (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE ownership (first_slot INTEGER PRIMARY KEY, last_slot INTEGER NOT NULL, epoch INTEGER NOT NULL, holder TEXT NOT NULL,
                        last_batch TEXT NOT NULL DEFAULT '');
CREATE TABLE runs (namespace_id TEXT NOT NULL, workflow_id TEXT NOT NULL, run_id TEXT NOT NULL, slot INTEGER NOT NULL, status INTEGER NOT NULL,
                   wake_time INTEGER, has_work INTEGER NOT NULL, state BLOB NOT NULL, PRIMARY KEY (namespace_id, workflow_id, run_id)) WITHOUT ROWID;
CREATE INDEX runs_wake ON runs (wake_time, slot) WHERE wake_time IS NOT NULL;
CREATE INDEX runs_work ON runs (slot) WHERE has_work = 1;
CREATE TABLE current_runs (namespace_id TEXT NOT NULL, workflow_id TEXT NOT NULL, run_id TEXT NOT NULL, status INTEGER NOT NULL,
                           start_request_id TEXT NOT NULL, PRIMARY KEY (namespace_id, workflow_id)) WITHOUT ROWID;
CREATE TABLE history (run_id TEXT NOT NULL, first_event_id INTEGER NOT NULL, last_event_id INTEGER NOT NULL, events BLOB NOT NULL,
                      PRIMARY KEY (run_id, first_event_id)) WITHOUT ROWID;
CREATE TABLE outbox (id TEXT PRIMARY KEY, slot INTEGER NOT NULL, namespace_id TEXT NOT NULL, workflow_id TEXT NOT NULL, run_id TEXT NOT NULL,
                     message BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE visibility (namespace_id TEXT NOT NULL, run_id TEXT NOT NULL, workflow_id TEXT NOT NULL, workflow_type TEXT NOT NULL,
                         task_queue TEXT NOT NULL, status INTEGER NOT NULL, start_time INTEGER NOT NULL, execution_time INTEGER NOT NULL,
                         close_time INTEGER, history_length INTEGER NOT NULL, history_size_bytes INTEGER NOT NULL,
                         state_transition_count INTEGER NOT NULL, parent_workflow_id TEXT NOT NULL, parent_run_id TEXT NOT NULL,
                         root_workflow_id TEXT NOT NULL, root_run_id TEXT NOT NULL, memo BLOB NOT NULL, search_attributes BLOB NOT NULL,
                         PRIMARY KEY (namespace_id, run_id)) WITHOUT ROWID;
CREATE INDEX visibility_order ON visibility (namespace_id, start_time DESC, run_id);
CREATE TABLE search_attributes (namespace_id TEXT NOT NULL, run_id TEXT NOT NULL, name TEXT NOT NULL, text TEXT, number INTEGER, real REAL);
CREATE INDEX search_attributes_run ON search_attributes (namespace_id, run_id);
CREATE INDEX search_attributes_value ON search_attributes (namespace_id, name, text, number, real);
)sql"};
constexpr int kVersion = sizeof(kMigrations) / sizeof(kMigrations[0]);

absl::StatusOr<int64_t> pragma(sqlite3* db, const std::string& name) {
  Statement statement;
  if (auto status = statement.prepare(db, "PRAGMA " + name); !status.ok()) return status;
  if (statement.step() != SQLITE_ROW) return sqlite_error(db, "reading the data file's header");
  return statement.number(0);
}

}  // namespace

absl::Status migrate(sqlite3* db) {
  const auto version = pragma(db, "user_version");
  if (!version.ok()) return version.status();
  const auto application = pragma(db, "application_id");
  if (!application.ok()) return application.status();
  const auto pages = pragma(db, "page_count");
  if (!pages.ok()) return pages.status();
  if (*application != kApplicationId && *pages > 0) {
    return absl::DataLossError("the file is an SQLite database, but not one of Skald's; name another file");
  }
  if (*version > kVersion) {
    return absl::FailedPreconditionError(absl::StrCat("the data file has schema version ", *version,
                                                      ", this program knows up to ", kVersion,
                                                      "; start the newer program that wrote it"));
  }
  if (*version == kVersion) return absl::OkStatus();
  std::string script = "BEGIN IMMEDIATE;";
  for (auto next = static_cast<int>(*version); next < kVersion; ++next) script += kMigrations[next];
  absl::StrAppend(&script, "PRAGMA application_id = ", kApplicationId, "; PRAGMA user_version = ", kVersion,
                  "; COMMIT;");
  if (auto status = execute(db, script, "creating the tables"); !status.ok()) {
    execute(db, "ROLLBACK", "undoing the migration").IgnoreError();
    return status;
  }
  return absl::OkStatus();
}

// An UPDATE that leaves a row as it is writes no page; this does.
absl::Status write_version_again(sqlite3* db) {
  return execute(db, absl::StrCat("PRAGMA user_version = ", kVersion), "looking for a commit's outcome");
}

}  // namespace skald::store
