#include "engine/store/sqlite/reader.h"

#include <absl/strings/str_cat.h>

#include "engine/store/filter_sql.h"
#include "engine/store/row_reading.h"
#include "engine/store/visibility_columns.h"
#include "engine/store/visibility_token.h"

namespace skald::store {
namespace {

absl::StatusOr<std::vector<HistoryChunk>> chunks(sqlite3* db, Statement& statement, size_t max_bytes) {
  std::vector<HistoryChunk> result;
  size_t bytes = 0;
  int code = SQLITE_DONE;
  while (bytes < max_bytes && (code = statement.step()) == SQLITE_ROW) {
    result.push_back({statement.number(0), statement.number(1), statement.text(2)});
    bytes += result.back().bytes.size();
  }
  const absl::Status status =
      code == SQLITE_ROW || code == SQLITE_DONE ? absl::OkStatus() : sqlite_error(db, "reading history");
  statement.reset();
  if (!status.ok()) return status;
  return result;
}

void bind_all(Statement& statement, int from, const std::vector<Value>& values) {
  for (const Value& value : values) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      statement.bind(from++, *text);
    } else if (const auto* number = std::get_if<int64_t>(&value)) {
      statement.bind(from++, *number);
    } else {
      statement.bind(from++, std::get<double>(value));
    }
  }
}

// The texts of queries differ only by the filter: what SQLite does not take is a filter beyond its limits.
absl::Status prepare_query(sqlite3* db, const std::string& sql, Statement& statement) {
  absl::Status status = statement.prepare(db, sql);
  if (!absl::IsInternal(status)) return status;
  return absl::InvalidArgumentError("the filter has too many conditions or values; split the query");
}

}  // namespace

absl::Status Reader::prepare(sqlite3* db) {
  db_ = db;
  const std::pair<Statement*, std::string_view> statements[] = {
      {&run_,
       "SELECT status, wake_time, has_work, state FROM runs WHERE namespace_id = ? AND workflow_id = ? AND run_id = ?"},
      {&current_,
       "SELECT run_id, status, start_request_id FROM current_runs WHERE namespace_id = ? AND workflow_id = ?"},
      {&history_,
       R"sql(SELECT first_event_id, last_event_id, events
           FROM history
           WHERE run_id = ? AND last_event_id >= ? AND first_event_id <= ?
           ORDER BY first_event_id)sql"},
      {&history_reverse_,
       R"sql(SELECT first_event_id, last_event_id, events
           FROM history
           WHERE run_id = ? AND first_event_id <= ?
           ORDER BY first_event_id DESC)sql"},
      {&wake_,
       R"sql(SELECT namespace_id, workflow_id, run_id, wake_time
           FROM runs
           WHERE wake_time IS NOT NULL AND wake_time <= ?1 AND slot >= ?2 AND slot < ?3
             AND (wake_time, namespace_id, workflow_id, run_id) > (?4, ?5, ?6, ?7)
           ORDER BY wake_time, namespace_id, workflow_id, run_id
           LIMIT ?8)sql"},
      {&work_,
       R"sql(SELECT namespace_id, workflow_id, run_id, slot
           FROM runs
           WHERE has_work = 1 AND slot >= ?1 AND slot < ?2 AND (slot, namespace_id, workflow_id, run_id) > (?3, ?4, ?5, ?6)
           ORDER BY slot, namespace_id, workflow_id, run_id
           LIMIT ?7)sql"},
      {&outbox_,
       R"sql(SELECT id, namespace_id, workflow_id, run_id, message
           FROM outbox
           WHERE slot >= ? AND slot < ? AND id > ?
           ORDER BY id
           LIMIT ?)sql"},
  };
  for (const auto& [statement, sql] : statements) {
    if (auto status = statement->prepare(db, sql); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<RunRow>> Reader::run(const RunKey& key) {
  run_.bind(1, key.namespace_id).bind(2, key.workflow_id).bind(3, key.run_id);
  std::optional<RunRow> row;
  const int code = run_.step();
  if (code == SQLITE_ROW) {
    row = RunRow{key, static_cast<int>(run_.number(0)), run_.time(1, absl::InfiniteFuture()), run_.number(2) != 0,
                 run_.text(3)};
  }
  run_.reset();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return sqlite_error(db_, "reading a run");
  return row;
}

absl::StatusOr<std::optional<CurrentRow>> Reader::current(const WorkflowKey& key) {
  current_.bind(1, key.namespace_id).bind(2, key.workflow_id);
  std::optional<CurrentRow> row;
  const int code = current_.step();
  if (code == SQLITE_ROW)
    row = CurrentRow{key, current_.text(0), static_cast<int>(current_.number(1)), current_.text(2)};
  current_.reset();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return sqlite_error(db_, "reading a current run");
  return row;
}

absl::StatusOr<std::vector<HistoryChunk>> Reader::history(const RunKey& key, int64_t first_event_id,
                                                          int64_t last_event_id, size_t max_bytes) {
  history_.bind(1, key.run_id).bind(2, first_event_id).bind(3, last_event_id);
  return chunks(db_, history_, max_bytes);
}

absl::StatusOr<std::vector<HistoryChunk>> Reader::history_reverse(const RunKey& key, int64_t last_event_id,
                                                                  size_t max_bytes) {
  history_reverse_.bind(1, key.run_id).bind(2, last_event_id);
  return chunks(db_, history_reverse_, max_bytes);
}

absl::StatusOr<Page<std::pair<RunKey, absl::Time>>> Reader::wake(const Lease& lease, absl::Time until,
                                                                 const std::string& after, size_t limit) {
  const auto from = scan_after(after);
  if (!from.ok()) return from.status();
  wake_.bind(1, absl::ToUnixNanos(until)).bind(2, int64_t{lease.first_slot}).bind(3, int64_t{lease.last_slot});
  wake_.bind(4, from->number)
      .bind(5, from->key.namespace_id)
      .bind(6, from->key.workflow_id)
      .bind(7, from->key.run_id)
      .bind(8, static_cast<int64_t>(limit));
  Page<std::pair<RunKey, absl::Time>> page;
  int code = SQLITE_DONE;
  while ((code = wake_.step()) == SQLITE_ROW) {
    page.rows.emplace_back(run_key_of(wake_), absl::FromUnixNanos(wake_.number(3)));
  }
  wake_.reset();
  if (code != SQLITE_DONE) return sqlite_error(db_, "looking for due runs");
  if (limit > 0 && page.rows.size() == limit) {
    const auto& [key, time] = page.rows.back();
    page.next = position_of(absl::ToUnixNanos(time), key);
  }
  return page;
}

absl::StatusOr<Page<RunKey>> Reader::work(const Lease& lease, const std::string& after, size_t limit) {
  const auto from = scan_after(after);
  if (!from.ok()) return from.status();
  work_.bind(1, int64_t{lease.first_slot}).bind(2, int64_t{lease.last_slot}).bind(3, from->number);
  work_.bind(4, from->key.namespace_id).bind(5, from->key.workflow_id).bind(6, from->key.run_id).bind(7, static_cast<int64_t>(limit));
  Page<RunKey> page;
  int code = SQLITE_DONE;
  int64_t slot = 0;
  while ((code = work_.step()) == SQLITE_ROW) {
    page.rows.push_back(run_key_of(work_));
    slot = work_.number(3);
  }
  work_.reset();
  if (code != SQLITE_DONE) return sqlite_error(db_, "looking for runs with work");
  if (limit > 0 && page.rows.size() == limit) {
    page.next = position_of(slot, page.rows.back());
  }
  return page;
}

absl::StatusOr<Page<OutboxRow>> Reader::outbox(const Lease& lease, const std::string& after, size_t limit) {
  outbox_.bind(1, int64_t{lease.first_slot})
      .bind(2, int64_t{lease.last_slot})
      .bind(3, after)
      .bind(4, static_cast<int64_t>(limit));
  Page<OutboxRow> page;
  int code = SQLITE_DONE;
  while ((code = outbox_.step()) == SQLITE_ROW) {
    page.rows.push_back({outbox_.text(0), {outbox_.text(1), outbox_.text(2), outbox_.text(3)}, outbox_.text(4)});
  }
  outbox_.reset();
  if (code != SQLITE_DONE) return sqlite_error(db_, "reading messages");
  if (limit > 0 && page.rows.size() == limit) page.next = page.rows.back().id;
  return page;
}

absl::StatusOr<Page<VisibilityRow>> Reader::list(const VisibilityQuery& query, size_t page_size,
                                                 const std::string& token) {
  FilterSql filter(query.filter);
  std::string sql =
      absl::StrCat("SELECT ", kVisibilityColumnsOfV, " FROM visibility v WHERE v.namespace_id = ? AND ", filter.sql());
  std::vector<Value> values = {query.namespace_id};
  values.insert(values.end(), filter.values().begin(), filter.values().end());
  if (!token.empty()) {
    auto from = decode_token(token);
    if (!from.ok()) return from.status();
    sql += " AND (v.start_time < ? OR (v.start_time = ? AND v.run_id > ?))";
    values.emplace_back(from->start_time_nanos);
    values.emplace_back(from->start_time_nanos);
    values.emplace_back(from->run_id);
  }
  absl::StrAppend(&sql, " ORDER BY v.start_time DESC, v.run_id LIMIT ", page_size);
  Statement statement;
  if (auto status = prepare_query(db_, sql, statement); !status.ok()) return status;
  bind_all(statement, 1, values);
  Page<VisibilityRow> page;
  int code = SQLITE_DONE;
  while ((code = statement.step()) == SQLITE_ROW) page.rows.push_back(visibility_row_of(statement));
  if (code != SQLITE_DONE) return sqlite_error(db_, "listing workflows");
  if (page_size > 0 && page.rows.size() == page_size) {
    page.next = encode_token({absl::ToUnixNanos(page.rows.back().start_time), page.rows.back().key.run_id});
  }
  return page;
}

absl::StatusOr<std::vector<CountGroup>> Reader::count(const VisibilityQuery& query) {
  FilterSql filter(query.filter);
  const std::string sql = absl::StrCat("SELECT ", query.group_by_status ? "v.status" : "0",
                                       ", COUNT(*) FROM visibility v WHERE v.namespace_id = ? AND ", filter.sql(),
                                       query.group_by_status ? " GROUP BY v.status ORDER BY v.status" : "");
  Statement statement;
  if (auto status = prepare_query(db_, sql, statement); !status.ok()) return status;
  std::vector<Value> values = {query.namespace_id};
  values.insert(values.end(), filter.values().begin(), filter.values().end());
  bind_all(statement, 1, values);
  std::vector<CountGroup> groups;
  int code = SQLITE_DONE;
  while ((code = statement.step()) == SQLITE_ROW)
    groups.push_back({static_cast<int>(statement.number(0)), statement.number(1)});
  if (code != SQLITE_DONE) return sqlite_error(db_, "counting workflows");
  return groups;
}

}  // namespace skald::store
