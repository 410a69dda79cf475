#include "engine/store/sqlite/contents.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include <absl/strings/str_cat.h>

#include "engine/store/row_reading.h"
#include "engine/store/sqlite/connection.h"
#include "engine/store/sqlite/statement.h"
#include "engine/store/visibility_columns.h"

namespace skald::store {
namespace {

class SqliteContents final : public Contents {
 public:
  SqliteContents(Connection db, const PageLimits& limits) : db_(std::move(db)), limits_(limits) {}

  absl::StatusOr<std::vector<NamespaceRow>> namespaces() override {
    std::vector<NamespaceRow> rows;
    auto status = each("SELECT id, name, record FROM namespaces ORDER BY id", {}, [&](const Statement& row) {
      rows.push_back({row.text(0), row.text(1), row.text(2)});
      return true;
    });
    if (!status.ok()) return status;
    return rows;
  }

  absl::StatusOr<Page<SettingRow>> settings(const std::string& after) override {
    return page<SettingRow>(
        "SELECT name, value FROM settings WHERE name > ? ORDER BY name", {after},
        [](const Statement& row) {
          return SettingRow{row.text(0), row.text(1)};
        },
        [](const SettingRow& row) { return row.value.size(); }, [](const SettingRow& row) { return row.name; });
  }

  absl::StatusOr<Page<StoredRun>> runs(const std::string& after) override {
    auto from = key_after(after, 3);
    if (!from.ok()) return from.status();
    return page<StoredRun>(
        absl::StrCat("SELECT ", kStoredRunColumns,
                     " FROM runs WHERE (namespace_id, workflow_id, run_id) > (?, ?, ?) ORDER BY "
                     "namespace_id, workflow_id, run_id"),
        *from, stored_run_of<Statement>, [](const StoredRun& run) { return run.row.state.size(); },
        [](const StoredRun& run) {
          const RunKey& key = run.row.key;
          return encode_position({key.namespace_id, key.workflow_id, key.run_id});
        });
  }

  absl::StatusOr<Page<CurrentRow>> current(const std::string& after) override {
    auto from = key_after(after, 2);
    if (!from.ok()) return from.status();
    return page<CurrentRow>(
        R"sql(SELECT namespace_id, workflow_id, run_id, status, start_request_id
            FROM current_runs
            WHERE (namespace_id, workflow_id) > (?, ?)
            ORDER BY namespace_id, workflow_id)sql",
        *from,
        [](const Statement& row) {
          return CurrentRow{{row.text(0), row.text(1)}, row.text(2), static_cast<int>(row.number(3)), row.text(4)};
        },
        [](const CurrentRow&) { return size_t{0}; },
        [](const CurrentRow& row) {
          return encode_position({row.key.namespace_id, row.key.workflow_id});
        });
  }

  absl::StatusOr<Page<HistoryRow>> history(const std::string& after) override {
    const auto from = history_after(after);
    if (!from.ok()) return from.status();
    Page<HistoryRow> page;
    size_t bytes = 0;
    auto status = read_history("WHERE run_id = ?1 AND first_event_id > ?2", *from, page, bytes);
    if (status.ok() && page.next.empty()) status = read_history("WHERE run_id > ?1", {from->run_id, 0}, page, bytes);
    if (!status.ok()) return status;
    return page;
  }

  absl::StatusOr<Page<HistoryRow>> history_of(const std::vector<std::string>& run_ids,
                                              const std::string& after) override {
    const auto from = history_after(after);
    if (!from.ok()) return from.status();
    std::vector<std::string> ids = run_ids;
    std::sort(ids.begin(), ids.end());
    Page<HistoryRow> page;
    size_t bytes = 0;
    for (const std::string& id : ids) {
      if (id < from->run_id) continue;
      const int64_t event_id = id == from->run_id ? from->event_id : INT64_MIN;
      auto status = read_history("WHERE run_id = ?1 AND first_event_id > ?2", {id, event_id}, page, bytes);
      if (!status.ok()) return status;
      if (!page.next.empty()) break;
    }
    return page;
  }

  absl::StatusOr<Page<StoredMessage>> outbox(const std::string& after) override {
    return page<StoredMessage>(
        absl::StrCat("SELECT ", kStoredMessageColumns, " FROM outbox WHERE id > ? ORDER BY id"), {after}, stored_message_of<Statement>,
        [](const StoredMessage& message) { return message.row.message.size(); },
        [](const StoredMessage& message) { return message.row.id; });
  }

  absl::StatusOr<Page<VisibilityRow>> visibility(const std::string& after) override {
    auto from = key_after(after, 2);
    if (!from.ok()) return from.status();
    auto rows = page<VisibilityRow>(
        absl::StrCat("SELECT ", kVisibilityColumns,
                     " FROM visibility WHERE (namespace_id, run_id) > (?, ?) ORDER BY namespace_id, run_id"),
        *from, visibility_row_of<Statement>,
        [](const VisibilityRow& row) { return row.memo.size() + 2 * row.search_attributes.size(); },
        [](const VisibilityRow& row) {
          return encode_position({row.key.namespace_id, row.key.run_id});
        });
    if (!rows.ok()) return rows.status();
    for (VisibilityRow& row : rows->rows) {
      if (auto status = read_attributes(row); !status.ok()) return status;
    }
    return rows;
  }

  absl::StatusOr<std::vector<StoredRun>> runs_of(const std::vector<RunKey>& keys) override {
    const std::string sql =
        absl::StrCat("SELECT ", kStoredRunColumns, " FROM runs WHERE namespace_id = ? AND workflow_id = ? AND run_id = ?");
    std::vector<StoredRun> rows;
    for (const RunKey& key : keys) {
      auto status = each(sql, {key.namespace_id, key.workflow_id, key.run_id}, [&](const Statement& row) {
        rows.push_back(stored_run_of(row));
        return true;
      });
      if (!status.ok()) return status;
    }
    return rows;
  }

  absl::StatusOr<std::vector<StoredMessage>> outbox_of(const std::vector<std::string>& ids) override {
    const std::string sql = absl::StrCat("SELECT ", kStoredMessageColumns, " FROM outbox WHERE id = ?");
    std::vector<StoredMessage> rows;
    for (const std::string& id : ids) {
      auto status = each(sql, {id}, [&](const Statement& row) {
        rows.push_back(stored_message_of(row));
        return true;
      });
      if (!status.ok()) return status;
    }
    return rows;
  }

  absl::StatusOr<std::vector<VisibilityRow>> visibility_of(const std::vector<RunKey>& keys) override {
    const std::string sql =
        absl::StrCat("SELECT ", kVisibilityColumns, " FROM visibility WHERE namespace_id = ? AND run_id = ?");
    std::vector<VisibilityRow> rows;
    for (const RunKey& key : keys) {
      auto status = each(sql, {key.namespace_id, key.run_id}, [&](const Statement& row) {
        rows.push_back(visibility_row_of(row));
        return true;
      });
      if (!status.ok()) return status;
    }
    for (VisibilityRow& row : rows) {
      if (auto status = read_attributes(row); !status.ok()) return status;
    }
    return rows;
  }

  absl::StatusOr<Page<std::string>> history_without_run(const std::string& after) override {
    return page<std::string>(
        R"sql(SELECT DISTINCT run_id
            FROM history
            WHERE run_id > ? AND run_id NOT IN (SELECT run_id FROM runs)
            ORDER BY run_id)sql",
        {after}, [](const Statement& row) { return row.text(0); }, [](const std::string&) { return size_t{0}; },
        [](const std::string& id) { return id; });
  }

  absl::StatusOr<Page<RunKey>> visibility_without_run(const std::string& after) override {
    auto from = key_after(after, 2);
    if (!from.ok()) return from.status();
    return page<RunKey>(
        R"sql(SELECT namespace_id, workflow_id, run_id
            FROM visibility v
            WHERE (namespace_id, run_id) > (?, ?) AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.namespace_id = v.namespace_id
              AND r.workflow_id = v.workflow_id AND r.run_id = v.run_id)
            ORDER BY namespace_id, run_id)sql",
        *from,
        [](const Statement& row) {
          return run_key_of(row);
        },
        [](const RunKey&) { return size_t{0}; },
        [](const RunKey& key) {
          return encode_position({key.namespace_id, key.run_id});
        });
  }

 private:
  absl::StatusOr<Statement*> statement(const std::string& sql) {
    Statement& known = statements_[sql];
    if (known.is_prepared()) return &known;
    if (auto status = known.prepare(db_.get(), sql); !status.ok()) return status;
    return &known;
  }

  // Calls `row` for each row, until it returns false.
  template <typename F>
  absl::Status each(const std::string& sql, const std::vector<std::string>& parameters, F row) {
    auto found = statement(sql);
    if (!found.ok()) return found.status();
    Statement& query = **found;
    for (size_t i = 0; i < parameters.size(); ++i) query.bind(static_cast<int>(i) + 1, parameters[i]);
    return step_through(query, row);
  }

  template <typename F>
  absl::Status step_through(Statement& query, F row) {
    int code = SQLITE_DONE;
    while ((code = query.step()) == SQLITE_ROW && row(query)) {
    }
    absl::Status status;
    if (code != SQLITE_ROW && code != SQLITE_DONE) status = sqlite_error(db_.get(), "reading the tables");
    query.reset();
    return status;
  }

  template <typename Row, typename Make, typename Size, typename Position>
  absl::StatusOr<Page<Row>> page(const std::string& sql, const std::vector<std::string>& parameters, Make make,
                                 Size size, Position position) {
    Page<Row> result;
    size_t bytes = 0;
    auto status = each(sql, parameters, [&](const Statement& row) {
      result.rows.push_back(make(row));
      bytes += size(result.rows.back());
      return result.rows.size() < limits_.rows && bytes < limits_.bytes;
    });
    if (!status.ok()) return status;
    if (result.rows.size() >= limits_.rows || bytes >= limits_.bytes) result.next = position(result.rows.back());
    return result;
  }

  // Adds to the page until it is full.
  absl::Status read_history(const std::string& where, const HistoryPosition& from, Page<HistoryRow>& page,
                            size_t& bytes) {
    auto found = statement(
        absl::StrCat("SELECT ", kHistoryColumns, " FROM history ", where, " ORDER BY run_id, first_event_id"));
    if (!found.ok()) return found.status();
    (*found)->bind(1, from.run_id);
    if (where.find("?2") != std::string::npos) (*found)->bind(2, from.event_id);
    return step_through(**found, [&](const Statement& row) {
      page.rows.push_back(history_row_of(row));
      bytes += page.rows.back().chunk.bytes.size();
      const bool full = page.rows.size() >= limits_.rows || bytes >= limits_.bytes;
      if (full) page.next = position_of(page.rows.back());
      return !full;
    });
  }

  absl::Status read_attributes(VisibilityRow& row) {
    return each(
        R"sql(SELECT name, text, number, real
            FROM search_attributes
            WHERE namespace_id = ? AND run_id = ?
            ORDER BY name, rowid)sql",
        {row.key.namespace_id, row.key.run_id}, [&row](const Statement& attribute) {
          AttributeValue& value = row.attributes[attribute.text(0)];
          if (!attribute.is_null(1)) value.texts.push_back(attribute.text(1));
          if (!attribute.is_null(2)) value.number = attribute.number(2);
          if (!attribute.is_null(3)) value.real = attribute.real(3);
          return true;
        });
  }

  Connection db_;
  const PageLimits limits_;
  std::map<std::string, Statement> statements_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Contents>> open_contents(const std::string& path, const PageLimits& limits) {
  auto db = connect(path, SQLITE_OPEN_READWRITE);
  if (!db.ok()) return db.status();
  const char* setup = "PRAGMA query_only = 1; PRAGMA cache_size = -8192;";
  if (auto status = execute(db->get(), setup, "opening a reader"); !status.ok()) return status;
  return std::make_unique<SqliteContents>(*std::move(db), limits);
}

}  // namespace skald::store
