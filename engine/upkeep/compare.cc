#include "engine/upkeep/compare.h"

#include <tuple>
#include <utility>

#include <absl/strings/str_cat.h>

#include "engine/upkeep/known_namespaces.h"
#include "engine/upkeep/rows.h"

namespace skald::upkeep {
namespace {

// What rows are ordered and named by.
std::string key_of(const store::NamespaceRow& row) { return row.id; }
std::string key_of(const store::SettingRow& row) { return row.name; }
store::RunKey key_of(const store::StoredRun& run) { return run.row.key; }
store::WorkflowKey key_of(const store::CurrentRow& row) { return row.key; }
std::pair<std::string, int64_t> key_of(const store::HistoryRow& row) {
  return {row.key.run_id, row.chunk.first_event_id};
}
std::string key_of(const store::StoredMessage& message) { return message.row.id; }
std::pair<std::string, std::string> key_of(const store::VisibilityRow& row) {
  return {row.key.namespace_id, row.key.run_id};
}

std::string text(const std::string& key) { return key; }
std::string text(const store::WorkflowKey& key) {
  return absl::StrCat("namespace id ", key.namespace_id, ", workflow ", key.workflow_id);
}
std::string text(const store::RunKey& key) { return absl::StrCat(text(key.workflow()), ", run ", key.run_id); }
std::string text(const std::pair<std::string, int64_t>& key) {
  return absl::StrCat("run ", key.first, ", event ", key.second);
}
std::string text(const std::pair<std::string, std::string>& key) {
  return absl::StrCat("namespace id ", key.first, ", run ", key.second);
}

bool equal(const store::NamespaceRow& a, const store::NamespaceRow& b) {
  return std::tie(a.name, a.record) == std::tie(b.name, b.record);
}
bool equal(const store::SettingRow& a, const store::SettingRow& b) { return a.value == b.value; }
bool equal(const store::StoredRun& a, const store::StoredRun& b) {
  return std::tie(a.row.status, a.row.has_work, a.row.state, a.slot) ==
             std::tie(b.row.status, b.row.has_work, b.row.state, b.slot) &&
         same_time(a.row.wake_time, b.row.wake_time);
}
bool equal(const store::CurrentRow& a, const store::CurrentRow& b) {
  return std::tie(a.run_id, a.status, a.start_request_id) == std::tie(b.run_id, b.status, b.start_request_id);
}
bool equal(const store::HistoryRow& a, const store::HistoryRow& b) {
  return std::tie(a.chunk.last_event_id, a.chunk.bytes) == std::tie(b.chunk.last_event_id, b.chunk.bytes);
}
bool equal(const store::StoredMessage& a, const store::StoredMessage& b) {
  return std::tie(a.row.source, a.row.message, a.slot) == std::tie(b.row.source, b.row.message, b.slot);
}
bool equal(const store::VisibilityRow& a, const store::VisibilityRow& b) {
  return std::tie(a.key, a.workflow_type, a.task_queue, a.status, a.history_length, a.history_size_bytes,
                  a.state_transition_count, a.parent_workflow_id, a.parent_run_id, a.root_workflow_id, a.root_run_id,
                  a.memo, a.search_attributes, a.attributes) ==
             std::tie(b.key, b.workflow_type, b.task_queue, b.status, b.history_length, b.history_size_bytes,
                      b.state_transition_count, b.parent_workflow_id, b.parent_run_id, b.root_workflow_id,
                      b.root_run_id, b.memo, b.search_attributes, b.attributes) &&
         same_time(a.start_time, b.start_time) && same_time(a.execution_time, b.execution_time) &&
         same_time(a.close_time, b.close_time);
}

class Comparison {
 public:
  Comparison(store::Contents& one, store::Contents& other, std::string ignored_setting, const Progress& progress)
      : one_(one), other_(other), ignored_setting_(std::move(ignored_setting)), progress_(progress) {}

  absl::StatusOr<Report> compare() {
    auto status = table<store::NamespaceRow>(
        Table::kNamespaces, [](store::Contents& contents, const std::string&) { return all_namespaces(contents); });
    if (status.ok()) status = table<store::SettingRow>(Table::kSettings, &store::Contents::settings);
    if (status.ok()) status = table<store::StoredRun>(Table::kRuns, &store::Contents::runs);
    if (status.ok()) status = table<store::CurrentRow>(Table::kCurrentRuns, &store::Contents::current);
    if (status.ok()) status = table<store::HistoryRow>(Table::kHistory, &store::Contents::history);
    if (status.ok()) status = table<store::VisibilityRow>(Table::kVisibility, &store::Contents::visibility);
    if (status.ok()) status = table<store::StoredMessage>(Table::kOutbox, &store::Contents::outbox);
    if (!status.ok()) return status;
    return std::move(report_);
  }

 private:
  static absl::StatusOr<store::Page<store::NamespaceRow>> all_namespaces(store::Contents& contents) {
    auto rows = contents.namespaces();
    if (!rows.ok()) return rows.status();
    return store::Page<store::NamespaceRow>{*std::move(rows), ""};
  }

  template <typename Row>
  absl::StatusOr<Row*> next(Rows<Row>& rows) {
    while (true) {
      auto row = rows.peek();
      if constexpr (std::is_same_v<Row, store::SettingRow>) {
        if (row.ok() && *row != nullptr && (*row)->name == ignored_setting_) {
          rows.pop();
          continue;
        }
      }
      return row;
    }
  }

  // Both in the order of their keys, side by side.
  template <typename Row, typename Read>
  absl::Status table(Table table, Read read) {
    Rows<Row> left([&](const std::string& after) { return std::invoke(read, one_, after); });
    Rows<Row> right([&](const std::string& after) { return std::invoke(read, other_, after); });
    while (true) {
      auto a = next(left);
      if (!a.ok()) return a.status();
      auto b = next(right);
      if (!b.ok()) return b.status();
      if (*a == nullptr && *b == nullptr) break;
      const bool missing = *b == nullptr || (*a != nullptr && key_of(**a) < key_of(**b));
      const bool extra = *a == nullptr || (*b != nullptr && key_of(**b) < key_of(**a));
      if (missing) {
        report_.violation(table, absl::StrCat(text(key_of(**a)), ": the row is missing in the copy"));
      } else if (extra) {
        report_.violation(table, absl::StrCat(text(key_of(**b)), ": only the copy has this row"));
      } else if (!equal(**a, **b)) {
        report_.violation(table, absl::StrCat(text(key_of(**a)), ": the copy's row differs"));
      }
      if (!extra) {
        left.pop();
        report_.count(table, 1);
        if (progress_ && report_.of(table).rows % kProgressRows == 0) progress_(table, report_.of(table).rows);
      }
      if (!missing) right.pop();
    }
    if (progress_) progress_(table, report_.of(table).rows);
    return absl::OkStatus();
  }

  static constexpr uint64_t kProgressRows = 1'000;

  store::Contents& one_;
  store::Contents& other_;
  const std::string ignored_setting_;
  const Progress& progress_;
  Report report_;
};

}  // namespace

absl::StatusOr<Report> compare(store::Contents& one, store::Contents& other, const std::string& ignored_setting,
                               const Progress& progress) {
  return Comparison(one, other, ignored_setting, progress).compare();
}

}  // namespace skald::upkeep
