#include "engine/store/mysql/contents.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include <absl/strings/str_cat.h>

#include "engine/store/mysql/session.h"
#include "engine/store/row_reading.h"
#include "engine/store/visibility_columns.h"

namespace skald::store {
namespace {

constexpr char kReading[] = "reading the tables";
constexpr size_t kKeysAtOnce = 100;                         // in one IN list
constexpr absl::Duration kAnswerLimit = absl::Minutes(30);  // rows without a run are looked for in whole tables

// Not a comparison of rows: MySQL would not use the index for it.
constexpr char kVisibilityAfter[] = "(namespace_id > ? OR (namespace_id = ? AND run_id > ?))";

std::string visibility_position(const RunKey& key) { return encode_position({key.namespace_id, key.run_id}); }

// "?, ?, ..."
std::string placeholders() {
  std::string list = "?";
  for (size_t i = 1; i < kKeysAtOnce; ++i) list += ", ?";
  return list;
}

// Every IN list is of the same length: the last value fills it up.
void add_all(Parameters& values, const std::vector<std::string>& texts) {
  for (size_t i = 0; i < kKeysAtOnce; ++i) values.add(texts[std::min(i, texts.size() - 1)]);
}

// Calls `use` with some of the texts at a time, until it fails or returns false.
template <typename F>
absl::Status in_parts(const std::vector<std::string>& texts, F use) {
  for (size_t begin = 0; begin < texts.size(); begin += kKeysAtOnce) {
    const size_t end = std::min(begin + kKeysAtOnce, texts.size());
    const absl::StatusOr<bool> more = use(std::vector<std::string>(texts.begin() + static_cast<ptrdiff_t>(begin),
                                                                   texts.begin() + static_cast<ptrdiff_t>(end)));
    if (!more.ok()) return more.status();
    if (!*more) break;
  }
  return absl::OkStatus();
}

class MysqlContents final : public Contents {
 public:
  MysqlContents(const MysqlAddress& address, const PageLimits& limits)
      : session_(address, {.answer_limit = kAnswerLimit}), limits_(limits) {}

  absl::StatusOr<std::vector<NamespaceRow>> namespaces() override {
    return all<NamespaceRow>("SELECT id, name, record FROM namespaces ORDER BY id", nullptr, [](const ResultRow& row) {
      return NamespaceRow{row.text(0), row.text(1), row.text(2)};
    });
  }

  absl::StatusOr<Page<SettingRow>> settings(const std::string& after) override {
    return page<SettingRow>(
        "name, value", "LENGTH(value)", "settings WHERE name > ? AND name <> 'schema_version' ORDER BY name",
        [&](Parameters& values) { values.add(after); },
        [](const ResultRow& row) {
          return SettingRow{row.text(0), row.text(1)};
        },
        [](const SettingRow& row) { return row.name; });
  }

  absl::StatusOr<Page<StoredRun>> runs(const std::string& after) override {
    auto from = key_after(after, 3);
    if (!from.ok()) return from.status();
    return page<StoredRun>(
        kStoredRunColumns, "LENGTH(state)",
        "runs WHERE (namespace_id > ? OR (namespace_id = ? AND (workflow_id > ? OR (workflow_id = ? AND run_id > ?)))) "
        "ORDER BY namespace_id, workflow_id, run_id",
        [&](Parameters& values) {
          values.add((*from)[0]).add((*from)[0]).add((*from)[1]).add((*from)[1]).add((*from)[2]);
        },
        stored_run_of<ResultRow>,
        [](const StoredRun& run) {
          const RunKey& key = run.row.key;
          return encode_position({key.namespace_id, key.workflow_id, key.run_id});
        });
  }

  absl::StatusOr<Page<CurrentRow>> current(const std::string& after) override {
    auto from = key_after(after, 2);
    if (!from.ok()) return from.status();
    return page<CurrentRow>(
        "namespace_id, workflow_id, run_id, status, start_request_id", "0",
        "current_runs WHERE (namespace_id > ? OR (namespace_id = ? AND workflow_id > ?)) ORDER BY namespace_id, "
        "workflow_id",
        [&](Parameters& values) { values.add((*from)[0]).add((*from)[0]).add((*from)[1]); },
        [](const ResultRow& row) {
          return CurrentRow{{row.text(0), row.text(1)}, row.text(2), static_cast<int>(row.number(3)), row.text(4)};
        },
        [](const CurrentRow& row) {
          return encode_position({row.key.namespace_id, row.key.workflow_id});
        });
  }

  absl::StatusOr<Page<HistoryRow>> history(const std::string& after) override {
    const auto from = history_after(after);
    if (!from.ok()) return from.status();
    return history_page(
        "history WHERE (run_id > ? OR (run_id = ? AND first_event_id > ?)) ORDER BY run_id, first_event_id",
        [&](Parameters& values) { values.add(from->run_id).add(from->run_id).add(from->event_id); });
  }

  absl::StatusOr<Page<HistoryRow>> history_of(const std::vector<std::string>& run_ids,
                                              const std::string& after) override {
    const auto from = history_after(after);
    if (!from.ok()) return from.status();
    std::vector<std::string> ids;
    for (const std::string& id : run_ids) {
      if (id >= from->run_id) ids.push_back(id);
    }
    std::sort(ids.begin(), ids.end());
    Page<HistoryRow> result;
    const auto status = in_parts(ids, [&](const std::vector<std::string>& some) -> absl::StatusOr<bool> {
      auto rows =
          history_page(absl::StrCat("history WHERE run_id IN (", placeholders(),
                                    ") AND (run_id > ? OR (run_id = ? AND first_event_id > ?)) ORDER BY run_id, "
                                    "first_event_id"),
                       [&](Parameters& values) {
                         add_all(values, some);
                         values.add(from->run_id).add(from->run_id).add(from->event_id);
                       });
      if (!rows.ok()) return rows.status();
      std::move(rows->rows.begin(), rows->rows.end(), std::back_inserter(result.rows));
      // A part's rows end the page: they are as many as may be in memory.
      if (!rows->next.empty() || (!result.rows.empty() && some.back() != ids.back())) {
        result.next = rows->next.empty() ? encode_position({some.back(), absl::StrCat(INT64_MAX)}) : rows->next;
        return false;
      }
      return true;
    });
    if (!status.ok()) return status;
    return result;
  }

  absl::StatusOr<Page<StoredMessage>> outbox(const std::string& after) override {
    return page<StoredMessage>(
        kStoredMessageColumns, "LENGTH(message)", "outbox WHERE id > ? ORDER BY id",
        [&](Parameters& values) { values.add(after); }, stored_message_of<ResultRow>,
        [](const StoredMessage& message) { return message.row.id; });
  }

  absl::StatusOr<Page<VisibilityRow>> visibility(const std::string& after) override {
    auto from = key_after(after, 2);
    if (!from.ok()) return from.status();
    auto rows = page<VisibilityRow>(
        kVisibilityColumns, "LENGTH(memo) + 2 * LENGTH(search_attributes)",
        absl::StrCat("visibility WHERE ", kVisibilityAfter, " ORDER BY namespace_id, run_id"),
        [&](Parameters& values) { values.add((*from)[0]).add((*from)[0]).add((*from)[1]); }, visibility_row_of<ResultRow>,
        [](const VisibilityRow& row) { return visibility_position(row.key); });
    if (!rows.ok()) return rows.status();
    if (auto status = read_attributes(rows->rows); !status.ok()) return status;
    return rows;
  }

  absl::StatusOr<std::vector<StoredRun>> runs_of(const std::vector<RunKey>& keys) override {
    std::vector<StoredRun> rows;
    for (const RunKey& key : keys) {
      auto found = all<StoredRun>(
          absl::StrCat("SELECT ", kStoredRunColumns, " FROM runs WHERE namespace_id = ? AND workflow_id = ? AND run_id = ?"),
          [&](Parameters& values) { values.add(key.namespace_id).add(key.workflow_id).add(key.run_id); }, stored_run_of<ResultRow>);
      if (!found.ok()) return found.status();
      std::move(found->begin(), found->end(), std::back_inserter(rows));
    }
    return rows;
  }

  absl::StatusOr<std::vector<StoredMessage>> outbox_of(const std::vector<std::string>& ids) override {
    std::vector<StoredMessage> rows;
    const auto status = in_parts(ids, [&](const std::vector<std::string>& some) -> absl::StatusOr<bool> {
      auto found = all<StoredMessage>(
          absl::StrCat("SELECT ", kStoredMessageColumns, " FROM outbox WHERE id IN (", placeholders(), ")"),
          [&](Parameters& values) { add_all(values, some); }, stored_message_of<ResultRow>);
      if (!found.ok()) return found.status();
      std::move(found->begin(), found->end(), std::back_inserter(rows));
      return true;
    });
    if (!status.ok()) return status;
    return rows;
  }

  absl::StatusOr<std::vector<VisibilityRow>> visibility_of(const std::vector<RunKey>& keys) override {
    std::map<std::string, std::vector<std::string>> by_namespace;
    for (const RunKey& key : keys) by_namespace[key.namespace_id].push_back(key.run_id);
    std::vector<VisibilityRow> rows;
    for (const auto& [ns, ids] : by_namespace) {
      const auto status = in_parts(ids, [&](const std::vector<std::string>& some) -> absl::StatusOr<bool> {
        auto found = all<VisibilityRow>(
            absl::StrCat("SELECT ", kVisibilityColumns, " FROM visibility WHERE namespace_id = ? AND run_id IN (",
                         placeholders(), ")"),
            [&](Parameters& values) {
              values.add(ns);
              add_all(values, some);
            },
            visibility_row_of<ResultRow>);
        if (!found.ok()) return found.status();
        std::move(found->begin(), found->end(), std::back_inserter(rows));
        return true;
      });
      if (!status.ok()) return status;
    }
    if (auto status = read_attributes(rows); !status.ok()) return status;
    return rows;
  }

  absl::StatusOr<Page<std::string>> history_without_run(const std::string& after) override {
    return page<std::string>(
        "DISTINCT run_id", "", "history WHERE run_id > ? AND run_id NOT IN (SELECT run_id FROM runs) ORDER BY run_id",
        [&](Parameters& values) { values.add(after); }, [](const ResultRow& row) { return row.text(0); },
        [](const std::string& id) { return id; });
  }

  absl::StatusOr<Page<RunKey>> visibility_without_run(const std::string& after) override {
    auto from = key_after(after, 2);
    if (!from.ok()) return from.status();
    return page<RunKey>(
        "namespace_id, workflow_id, run_id", "",
        absl::StrCat("visibility v WHERE ", kVisibilityAfter,
                     " AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.namespace_id = v.namespace_id AND r.workflow_id = "
                     "v.workflow_id AND r.run_id = v.run_id) ORDER BY namespace_id, run_id"),
        [&](Parameters& values) { values.add((*from)[0]).add((*from)[0]).add((*from)[1]); },
        [](const ResultRow& row) {
          return run_key_of(row);
        },
        visibility_position);
  }

 private:
  // A connection that was lost is made again, once.
  absl::Status query(const std::string& sql, const Session::Bind& bind, const std::function<void()>& begin,
                     const Session::OnRow& on_row) {
    begin();
    absl::Status status = session_.query(sql, bind, on_row, kReading);
    if (!absl::IsUnavailable(status)) return status;
    begin();
    return session_.query(sql, bind, on_row, kReading);
  }

  template <typename Row, typename Make>
  absl::StatusOr<std::vector<Row>> all(const std::string& sql, const Session::Bind& bind, Make make) {
    std::vector<Row> rows;
    const auto status = query(
        sql, bind, [&] { rows.clear(); }, [&](const ResultRow& row) { rows.push_back(make(row)); });
    if (!status.ok()) return status;
    return rows;
  }

  // How many rows a page can take. Results come whole, so their sizes are asked for before the rows.
  absl::StatusOr<size_t> rows_that_fit(const std::string& size, const std::string& source, const Session::Bind& bind) {
    if (size.empty()) return limits_.rows;
    auto sizes = all<size_t>(
        absl::StrCat("SELECT ", size, " FROM ", source, " LIMIT ?"),
        [&](Parameters& values) {
          bind(values);
          values.add(static_cast<int64_t>(limits_.rows));
        },
        [](const ResultRow& row) { return static_cast<size_t>(row.number(0)); });
    if (!sizes.ok()) return sizes.status();
    size_t bytes = 0;
    for (size_t i = 0; i < sizes->size(); ++i) {
      bytes += (*sizes)[i];
      if (bytes >= limits_.bytes) return i + 1;
    }
    return limits_.rows;
  }

  template <typename Row, typename Make, typename Position>
  absl::StatusOr<Page<Row>> page(const std::string& columns, const std::string& size, const std::string& source,
                                 const Session::Bind& bind, Make make, Position position) {
    const auto limit = rows_that_fit(size, source, bind);
    if (!limit.ok()) return limit.status();
    auto rows = all<Row>(
        absl::StrCat("SELECT ", columns, " FROM ", source, " LIMIT ?"),
        [&](Parameters& values) {
          bind(values);
          values.add(static_cast<int64_t>(*limit));
        },
        make);
    if (!rows.ok()) return rows.status();
    Page<Row> result{*std::move(rows), ""};
    if (result.rows.size() >= *limit) result.next = position(result.rows.back());
    return result;
  }

  absl::StatusOr<Page<HistoryRow>> history_page(const std::string& source, const Session::Bind& bind) {
    return page<HistoryRow>(kHistoryColumns, "LENGTH(events)", source, bind, history_row_of<ResultRow>, [](const HistoryRow& row) { return position_of(row); });
  }

  absl::Status read_attributes(std::vector<VisibilityRow>& rows) {
    std::map<std::string, std::map<std::string, VisibilityRow*>> by_namespace;
    for (VisibilityRow& row : rows) by_namespace[row.key.namespace_id][row.key.run_id] = &row;
    for (const auto& [ns, by_id] : by_namespace) {
      std::vector<std::string> ids;
      for (const auto& [id, row] : by_id) ids.push_back(id);
      const auto status =
          in_parts(ids, [&, &ns = ns, &by_id = by_id](const std::vector<std::string>& some) -> absl::StatusOr<bool> {
            const auto read = query(
                absl::StrCat(
                    R"sql(SELECT run_id, name, text, number, `real`
                        FROM search_attributes
                        WHERE namespace_id = ? AND run_id IN ()sql",
                    placeholders(), ") ORDER BY run_id, name, place"),
                [&](Parameters& values) {
                  values.add(ns);
                  add_all(values, some);
                },
                [&] {
                  for (const std::string& id : some) by_id.at(id)->attributes.clear();
                },
                [&](const ResultRow& attribute) {
                  AttributeValue& value = by_id.at(attribute.text(0))->attributes[attribute.text(1)];
                  if (!attribute.is_null(2)) value.texts.push_back(attribute.text(2));
                  if (!attribute.is_null(3)) value.number = attribute.number(3);
                  if (!attribute.is_null(4)) value.real = attribute.real(4);
                });
            if (!read.ok()) return read;
            return true;
          });
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  Session session_;
  const PageLimits limits_;
};

}  // namespace

std::unique_ptr<Contents> mysql_contents(const MysqlAddress& address, const PageLimits& limits) {
  return std::make_unique<MysqlContents>(address, limits);
}

}  // namespace skald::store
