#include "engine/store/mysql/reader.h"

#include <algorithm>
#include <cstdint>

#include <absl/strings/str_cat.h>

#include "engine/store/filter_sql.h"
#include "engine/store/row_reading.h"
#include "engine/store/visibility_columns.h"
#include "engine/store/visibility_token.h"

namespace skald::store {
namespace {

// Results come whole: histories are read in pages, so that one of many large chunks stays bounded.
constexpr size_t kChunksAtOnce = 32;

}  // namespace

absl::StatusOr<std::optional<RunRow>> MysqlReader::run(const RunKey& key) {
  std::optional<RunRow> found;
  const absl::Status status = session_.query(
      "SELECT status, wake_time, has_work, state FROM runs WHERE namespace_id = ? AND workflow_id = ? AND run_id = ?",
      [&](Parameters& values) { values.add(key.namespace_id).add(key.workflow_id).add(key.run_id); },
      [&](const ResultRow& row) {
        found = RunRow{key, static_cast<int>(row.number(0)), row.time(1, absl::InfiniteFuture()), row.number(2) != 0,
                       row.text(3)};
      },
      "reading a run");
  if (!status.ok()) return status;
  return found;
}

absl::StatusOr<std::optional<CurrentRow>> MysqlReader::current(const WorkflowKey& key) {
  std::optional<CurrentRow> found;
  const absl::Status status = session_.query(
      "SELECT run_id, status, start_request_id FROM current_runs WHERE namespace_id = ? AND workflow_id = ?",
      [&](Parameters& values) { values.add(key.namespace_id).add(key.workflow_id); },
      [&](const ResultRow& row) {
        found = CurrentRow{key, row.text(0), static_cast<int>(row.number(1)), row.text(2)};
      },
      "reading a current run");
  if (!status.ok()) return status;
  return found;
}

absl::StatusOr<std::vector<HistoryChunk>> MysqlReader::history(const RunKey& key, int64_t first_event_id,
                                                               int64_t last_event_id, size_t max_bytes) {
  std::vector<HistoryChunk> chunks;
  size_t bytes = 0;
  for (int64_t from = first_event_id;;) {
    size_t page = 0;
    const absl::Status status = session_.query(
        absl::StrCat(R"sql(SELECT first_event_id, last_event_id, events
            FROM history
            WHERE run_id = ? AND last_event_id >= ? AND first_event_id <= ?
            ORDER BY first_event_id
            LIMIT )sql",
                     kChunksAtOnce),
        [&](Parameters& values) { values.add(key.run_id).add(from).add(last_event_id); },
        [&](const ResultRow& row) {
          ++page;
          if (bytes >= max_bytes && !chunks.empty()) return;
          chunks.push_back({row.number(0), row.number(1), row.text(2)});
          bytes += chunks.back().bytes.size();
        },
        "reading history");
    if (!status.ok()) return status;
    if (page < kChunksAtOnce || bytes >= max_bytes) return chunks;
    from = chunks.back().last_event_id + 1;
  }
}

absl::StatusOr<std::vector<HistoryChunk>> MysqlReader::history_reverse(const RunKey& key, int64_t last_event_id,
                                                                       size_t max_bytes) {
  std::vector<HistoryChunk> chunks;
  size_t bytes = 0;
  for (int64_t from = last_event_id;;) {
    size_t page = 0;
    const absl::Status status = session_.query(
        absl::StrCat(R"sql(SELECT first_event_id, last_event_id, events
            FROM history
            WHERE run_id = ? AND first_event_id <= ?
            ORDER BY first_event_id DESC
            LIMIT )sql",
                     kChunksAtOnce),
        [&](Parameters& values) { values.add(key.run_id).add(from); },
        [&](const ResultRow& row) {
          ++page;
          if (bytes >= max_bytes && !chunks.empty()) return;
          chunks.push_back({row.number(0), row.number(1), row.text(2)});
          bytes += chunks.back().bytes.size();
        },
        "reading history");
    if (!status.ok()) return status;
    if (page < kChunksAtOnce || bytes >= max_bytes) return chunks;
    from = chunks.back().first_event_id - 1;
  }
}

absl::StatusOr<Page<std::pair<RunKey, absl::Time>>> MysqlReader::wake(const Lease& lease, absl::Time until,
                                                                      const std::string& after, size_t limit) {
  const auto from = scan_after(after);
  if (!from.ok()) return from.status();
  Page<std::pair<RunKey, absl::Time>> page;
  const absl::Status status = session_.query(
      R"sql(SELECT namespace_id, workflow_id, run_id, wake_time
          FROM runs
          WHERE wake_time >= ? AND wake_time <= ? AND slot >= ? AND slot < ?
            AND (wake_time, namespace_id, workflow_id, run_id) > (?, ?, ?, ?)
          ORDER BY wake_time, namespace_id, workflow_id, run_id
          LIMIT ?)sql",
      [&](Parameters& values) {
        values.add(from->number)
            .add(absl::ToUnixNanos(until))
            .add(int64_t{lease.first_slot})
            .add(int64_t{lease.last_slot});
        values.add(from->number).add(from->key.namespace_id).add(from->key.workflow_id).add(from->key.run_id);
        values.add(static_cast<int64_t>(limit));
      },
      [&](const ResultRow& row) { page.rows.emplace_back(run_key_of(row), absl::FromUnixNanos(row.number(3))); },
      "looking for due runs");
  if (!status.ok()) return status;
  if (limit > 0 && page.rows.size() == limit)
    page.next = position_of(absl::ToUnixNanos(page.rows.back().second), page.rows.back().first);
  return page;
}

absl::StatusOr<Page<RunKey>> MysqlReader::work(const Lease& lease, const std::string& after, size_t limit) {
  const auto from = scan_after(after);
  if (!from.ok()) return from.status();
  Page<RunKey> page;
  int64_t slot = 0;
  const absl::Status status = session_.query(
      R"sql(SELECT namespace_id, workflow_id, run_id, slot
          FROM runs
          WHERE has_work = 1 AND slot >= ? AND slot < ? AND (slot, namespace_id, workflow_id, run_id) > (?, ?, ?, ?)
          ORDER BY slot, namespace_id, workflow_id, run_id
          LIMIT ?)sql",
      [&](Parameters& values) {
        values.add(std::max(from->number, int64_t{lease.first_slot})).add(int64_t{lease.last_slot});
        values.add(from->number).add(from->key.namespace_id).add(from->key.workflow_id).add(from->key.run_id);
        values.add(static_cast<int64_t>(limit));
      },
      [&](const ResultRow& row) {
        page.rows.push_back(run_key_of(row));
        slot = row.number(3);
      },
      "looking for runs with work");
  if (!status.ok()) return status;
  if (limit > 0 && page.rows.size() == limit) page.next = position_of(slot, page.rows.back());
  return page;
}

absl::StatusOr<Page<OutboxRow>> MysqlReader::outbox(const Lease& lease, const std::string& after, size_t limit) {
  Page<OutboxRow> page;
  const absl::Status status = session_.query(
      R"sql(SELECT namespace_id, workflow_id, run_id, id, message
          FROM outbox
          WHERE slot >= ? AND slot < ? AND id > ?
          ORDER BY id
          LIMIT ?)sql",
      [&](Parameters& values) {
        values.add(int64_t{lease.first_slot}).add(int64_t{lease.last_slot}).add(after).add(static_cast<int64_t>(limit));
      },
      [&](const ResultRow& row) {
        page.rows.push_back({row.text(3), run_key_of(row), row.text(4)});
      },
      "reading messages");
  if (!status.ok()) return status;
  if (limit > 0 && page.rows.size() == limit) page.next = page.rows.back().id;
  return page;
}

// The texts of queries differ only by the filter: what the database does not take is a filter beyond its limits.
absl::Status MysqlReader::filtered(const std::string& sql, const std::vector<Value>& values,
                                   const Session::OnRow& on_row, std::string_view doing) {
  const auto bind = [&](Parameters& parameters) {
    for (const Value& value : values) {
      std::visit([&](const auto& plain) { parameters.add(plain); }, value);
    }
  };
  absl::Status status = session_.query_once(sql, bind, on_row, doing);
  if (!absl::IsInternal(status)) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("the filter is more than the database takes; split the query (", status.message(), ")"));
}

absl::StatusOr<Page<VisibilityRow>> MysqlReader::list(const VisibilityQuery& query, size_t page_size,
                                                      const std::string& token) {
  const FilterSql filter(query.filter);
  std::string sql =
      absl::StrCat("SELECT ", kVisibilityColumnsOfV, " FROM visibility v WHERE v.namespace_id = ? AND ", filter.sql());
  std::vector<Value> values = {query.namespace_id};
  values.insert(values.end(), filter.values().begin(), filter.values().end());
  if (!token.empty()) {
    const auto from = decode_token(token);
    if (!from.ok()) return from.status();
    sql += " AND v.start_time <= ? AND (v.start_time < ? OR v.run_id > ?)";
    values.insert(values.end(), {Value(from->start_time_nanos), Value(from->start_time_nanos), Value(from->run_id)});
  }
  absl::StrAppend(&sql, " ORDER BY v.start_time DESC, v.run_id LIMIT ", page_size);
  Page<VisibilityRow> page;
  const absl::Status status = filtered(
      sql, values, [&](const ResultRow& row) { page.rows.push_back(visibility_row_of(row)); }, "listing workflows");
  if (!status.ok()) return status;
  if (page_size > 0 && page.rows.size() == page_size) {
    page.next = encode_token({absl::ToUnixNanos(page.rows.back().start_time), page.rows.back().key.run_id});
  }
  return page;
}

absl::StatusOr<std::vector<CountGroup>> MysqlReader::count(const VisibilityQuery& query) {
  const FilterSql filter(query.filter);
  const std::string sql = absl::StrCat("SELECT ", query.group_by_status ? "v.status" : "0",
                                       ", COUNT(*) FROM visibility v WHERE v.namespace_id = ? AND ", filter.sql(),
                                       query.group_by_status ? " GROUP BY v.status ORDER BY v.status" : "");
  std::vector<Value> values = {query.namespace_id};
  values.insert(values.end(), filter.values().begin(), filter.values().end());
  std::vector<CountGroup> groups;
  const absl::Status status = filtered(
      sql, values,
      [&](const ResultRow& row) {
        groups.push_back({static_cast<int>(row.number(0)), row.number(1)});
      },
      "counting workflows");
  if (!status.ok()) return status;
  return groups;
}

}  // namespace skald::store
