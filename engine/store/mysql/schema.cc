#include "engine/store/mysql/schema.h"

#include <optional>
#include <string>
#include <vector>

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

namespace skald::store {
namespace {

// Each entry brings the schema from version i to i + 1. Entries never change; new ones are added. MySQL commits after
// each statement, and several servers may migrate at once: every statement must bear being repeated.
//
// Ids are UTF-8 in VARBINARY: collations would take "a" and "a " for the same, and a key of 1,000 utf8mb4 characters is
// too long for an index. Times are Unix nanoseconds, NULL = none; lease times are UTC by the database's clock. Blobs
// are protobuf messages. The views show it all as text.
const std::vector<std::vector<std::string>>& migrations() {
  static const std::vector<std::vector<std::string>> all = {{
      R"sql(CREATE TABLE IF NOT EXISTS settings (name VARBINARY(255) NOT NULL PRIMARY KEY, value MEDIUMBLOB NOT NULL))sql",
      R"sql(CREATE TABLE IF NOT EXISTS namespaces (id VARBINARY(64) NOT NULL PRIMARY KEY, name VARBINARY(1000) NOT NULL, record MEDIUMBLOB NOT NULL,
            UNIQUE KEY namespaces_name (name)))sql",
      R"sql(CREATE TABLE IF NOT EXISTS ownership (first_slot INT NOT NULL PRIMARY KEY, last_slot INT NOT NULL, epoch BIGINT NOT NULL,
            holder VARBINARY(255) NOT NULL, process VARBINARY(255) NOT NULL, store VARBINARY(64) NOT NULL, expires_at DATETIME(6) NOT NULL,
            last_batch VARBINARY(255) NOT NULL))sql",
      R"sql(CREATE TABLE IF NOT EXISTS runs (namespace_id VARBINARY(64) NOT NULL, workflow_id VARBINARY(1000) NOT NULL, run_id VARBINARY(64) NOT NULL,
            slot INT NOT NULL, status INT NOT NULL, wake_time BIGINT NULL, has_work BOOLEAN NOT NULL, state LONGBLOB NOT NULL,
            PRIMARY KEY (namespace_id, workflow_id, run_id), KEY runs_wake (wake_time, slot), KEY runs_work (has_work, slot)))sql",
      R"sql(CREATE TABLE IF NOT EXISTS current_runs (namespace_id VARBINARY(64) NOT NULL, workflow_id VARBINARY(1000) NOT NULL,
            run_id VARBINARY(64) NOT NULL, status INT NOT NULL, start_request_id VARBINARY(1000) NOT NULL,
            PRIMARY KEY (namespace_id, workflow_id)))sql",
      R"sql(CREATE TABLE IF NOT EXISTS history (run_id VARBINARY(64) NOT NULL, first_event_id BIGINT NOT NULL, last_event_id BIGINT NOT NULL,
            events LONGBLOB NOT NULL, PRIMARY KEY (run_id, first_event_id)))sql",
      R"sql(CREATE TABLE IF NOT EXISTS outbox (id VARBINARY(255) NOT NULL PRIMARY KEY, slot INT NOT NULL, namespace_id VARBINARY(64) NOT NULL,
            workflow_id VARBINARY(1000) NOT NULL, run_id VARBINARY(64) NOT NULL, message LONGBLOB NOT NULL, KEY outbox_slot (slot, id)))sql",
      R"sql(CREATE TABLE IF NOT EXISTS visibility (namespace_id VARBINARY(64) NOT NULL, run_id VARBINARY(64) NOT NULL,
            workflow_id VARBINARY(1000) NOT NULL, workflow_type VARBINARY(1000) NOT NULL, task_queue VARBINARY(1000) NOT NULL,
            status INT NOT NULL, start_time BIGINT NOT NULL, execution_time BIGINT NOT NULL, close_time BIGINT NULL,
            history_length BIGINT NOT NULL, history_size_bytes BIGINT NOT NULL, state_transition_count BIGINT NOT NULL,
            parent_workflow_id VARBINARY(1000) NOT NULL, parent_run_id VARBINARY(64) NOT NULL, root_workflow_id VARBINARY(1000) NOT NULL,
            root_run_id VARBINARY(64) NOT NULL, memo LONGBLOB NOT NULL, search_attributes LONGBLOB NOT NULL,
            PRIMARY KEY (namespace_id, run_id), KEY visibility_order (namespace_id, start_time DESC, run_id),
            KEY visibility_workflow (namespace_id, workflow_id(255))))sql",
      R"sql(CREATE TABLE IF NOT EXISTS search_attributes (namespace_id VARBINARY(64) NOT NULL, run_id VARBINARY(64) NOT NULL,
            name VARBINARY(255) NOT NULL, place INT NOT NULL, text LONGBLOB NULL, number BIGINT NULL, `real` DOUBLE NULL,
            PRIMARY KEY (namespace_id, run_id, name, place), KEY search_attributes_text (namespace_id, name, text(255)),
            KEY search_attributes_number (namespace_id, name, number)))sql",
      R"sql(CREATE OR REPLACE VIEW workflows AS SELECT CONVERT(n.name USING utf8mb4) AS namespace, CONVERT(v.workflow_id USING utf8mb4) AS workflow_id,
            CONVERT(v.run_id USING utf8mb4) AS run_id, CONVERT(v.workflow_type USING utf8mb4) AS workflow_type,
            CONVERT(v.task_queue USING utf8mb4) AS task_queue,
            CASE v.status WHEN 1 THEN 'Running' WHEN 2 THEN 'Completed' WHEN 3 THEN 'Failed' WHEN 4 THEN 'Canceled' WHEN 5 THEN 'Terminated'
                          WHEN 6 THEN 'ContinuedAsNew' WHEN 7 THEN 'TimedOut' ELSE CAST(v.status AS CHAR) END AS status,
            TIMESTAMP('1970-01-01') + INTERVAL v.start_time DIV 1000 MICROSECOND AS start_time,
            TIMESTAMP('1970-01-01') + INTERVAL v.close_time DIV 1000 MICROSECOND AS close_time, v.history_length
            FROM visibility v JOIN namespaces n ON n.id = v.namespace_id)sql",
      R"sql(CREATE OR REPLACE VIEW owners AS SELECT first_slot, last_slot, epoch, CONVERT(holder USING utf8mb4) AS holder, expires_at FROM ownership)sql",
  }};
  return all;
}

// Whether the first migration makes a table or view of this name: it may have been broken off.
bool is_ours(const std::string& table) {
  for (const std::string& sql : migrations().front()) {
    for (const char* before : {"EXISTS ", "VIEW "}) {
      if (absl::StrContains(sql, absl::StrCat(before, table, " "))) return true;
    }
  }
  return false;
}

constexpr const char* kReading = "reading the schema's version";

// The version that the database says it has; 0 = no tables at all.
absl::StatusOr<int> version_of(Session& session, const std::string& database) {
  bool ours = false;
  int64_t others = 0;
  int64_t strangers = 0;
  const auto count = [&](const ResultRow& row) {
    if (row.text(0) == "settings") {
      ours = true;
    } else {
      ++others;
      if (!is_ours(row.text(0))) ++strangers;
    }
  };
  const absl::Status foreign = absl::DataLossError(absl::StrCat(
      "the database ", database, " holds tables, but not Skald's; it was left as it is: name another one"));
  if (auto status = session.query_once(
          "SELECT table_name FROM information_schema.tables WHERE table_schema = ?",
          [&](Parameters& values) { values.add(database); }, count, kReading);
      !status.ok()) {
    return status;
  }
  if (!ours) {
    if (others == 0) return 0;
    return foreign;
  }
  std::string text;
  if (auto status = session.query_once(
          "SELECT value FROM settings WHERE name = 'schema_version'", nullptr,
          [&](const ResultRow& row) { text = row.text(0); }, kReading);
      !status.ok()) {
    return absl::IsInternal(status) ? foreign : status;  // it has no such columns
  }
  if (text.empty() && strangers > 0) return foreign;  // others call a table so too
  int version = 0;
  if (!text.empty() && !absl::SimpleAtoi(text, &version)) {
    return absl::DataLossError(
        absl::StrCat("the database ", database, " names no schema version; restore it from a backup"));
  }
  return version;
}

absl::Status not_there(const MysqlAddress& address) {
  return absl::NotFoundError(
      absl::StrCat("there is no database of Skald's at ", address.text(), "; name the store that a server has used"));
}

absl::Status find_database(const MysqlAddress& address) {
  MysqlAddress server = address;
  server.database.clear();
  Session session(server, {});
  bool there = false;
  const absl::Status looked = session.query_once(
      "SELECT 1 FROM information_schema.schemata WHERE schema_name = ?",
      [&](Parameters& values) { values.add(address.database); }, [&](const ResultRow&) { there = true; },
      "looking for the database");
  if (!looked.ok()) return looked;
  return there ? absl::OkStatus() : not_there(address);
}

// The user may have the right to the database, but not to make one.
absl::Status make_database(const MysqlAddress& address) {
  MysqlAddress server = address;
  server.database.clear();
  Session session(server, {});
  if (auto status = session.open(); !status.ok()) return status;
  const absl::Status made = session.execute(absl::StrCat("CREATE DATABASE IF NOT EXISTS `", address.database,
                                                         "` DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
                                            absl::StrCat("making the database ", address.database));
  if (made.ok() || session.fault() != Fault::kDenied) return made;
  bool there = false;
  const absl::Status looked = session.query_once(
      "SELECT 1 FROM information_schema.schemata WHERE schema_name = ?",
      [&](Parameters& values) { values.add(address.database); }, [&](const ResultRow&) { there = true; },
      "looking for the database");
  if (!looked.ok()) return looked;
  return there ? absl::OkStatus() : made;
}

}  // namespace

absl::Status prepare_database(const MysqlAddress& address, bool create) {
  if (auto status = create ? make_database(address) : find_database(address); !status.ok()) return status;
  Session session(address, {});
  const auto version = version_of(session, address.database);
  if (!version.ok()) return version.status();
  const int newest = static_cast<int>(migrations().size());
  if (!create && *version == 0) return not_there(address);
  if (!create && *version < newest) {
    return absl::FailedPreconditionError(absl::StrCat("the database ", address.database, " has schema version ",
                                                      *version, ", this program needs ", newest,
                                                      "; start a server of this program on it once"));
  }
  if (*version > newest) {
    return absl::FailedPreconditionError(absl::StrCat("the database ", address.database, " has schema version ",
                                                      *version, ", this program knows up to ", newest,
                                                      "; start the newer program that wrote it"));
  }
  for (int next = *version; next < newest; ++next) {
    for (const std::string& sql : migrations()[static_cast<size_t>(next)]) {
      if (auto status = session.execute(sql, "making the tables"); !status.ok()) return status;
    }
    const auto noted = session.update(
        "INSERT INTO settings (name, value) VALUES ('schema_version', ?) ON DUPLICATE KEY UPDATE value = VALUES(value)",
        [&](Parameters& values) { values.add(absl::StrCat(next + 1)); }, "noting the schema's version");
    if (!noted.ok()) return noted.status();
  }
  return absl::OkStatus();
}

absl::Status lock_ownership(Session& session) {
  return session.query(
      "SELECT value FROM settings WHERE name = 'schema_version' FOR UPDATE", nullptr, [](const ResultRow&) {},
      "looking for leases");
}

}  // namespace skald::store
