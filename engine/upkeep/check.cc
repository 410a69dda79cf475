#include "engine/upkeep/check.h"

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "engine/upkeep/copy.h"
#include "engine/upkeep/current_check.h"
#include "engine/upkeep/history_check.h"
#include "engine/upkeep/known_namespaces.h"
#include "engine/upkeep/outbox_check.h"
#include "engine/upkeep/rows.h"
#include "engine/upkeep/run_check.h"
#include "engine/upkeep/visibility_check.h"

namespace skald::upkeep {
namespace {

// A run that goes by, with what belongs to it.
struct Inspected {
  store::RunKey key;
  std::string name;
  std::optional<RunState> state;
  std::optional<HistoryCheck> history;
};

// The whole store, run by run.
class Inspection {
 public:
  Inspection(store::Contents& contents, KnownNamespaces namespaces, Report& report, const Progress& progress)
      : contents_(contents),
        namespaces_(std::move(namespaces)),
        report_(report),
        progress_(progress),
        current_(contents, namespaces_, report) {}

  absl::Status inspect() {
    auto status = inspect_settings();
    if (status.ok()) status = inspect_runs();
    if (status.ok()) status = current_.finish();
    if (status.ok()) status = inspect_histories_without_run();
    if (status.ok()) status = inspect_visibility_without_run();
    if (status.ok()) status = check_outbox(contents_, namespaces_, std::move(waiting_), report_);
    return status;
  }

 private:
  absl::Status inspect_settings() {
    return each_page<store::SettingRow>([&](const std::string& after) { return contents_.settings(after); },
                                        [&](const std::vector<store::SettingRow>& rows) {
                                          report_.count(Table::kSettings, rows.size());
                                          for (const store::SettingRow& row : rows) {
                                            const absl::Status whole = check_copy_mark(row.name, row.value);
                                            if (!whole.ok())
                                              report_.violation(Table::kSettings, std::string(whole.message()));
                                          }
                                          return absl::OkStatus();
                                        });
  }

  absl::Status inspect_runs() {
    return each_page<store::StoredRun>([&](const std::string& after) { return contents_.runs(after); },
                                       [&](const std::vector<store::StoredRun>& rows) { return inspect_page(rows); });
  }

  absl::Status inspect_page(const std::vector<store::StoredRun>& rows) {
    std::vector<Inspected> runs;
    std::vector<Awaited> awaited;
    for (const store::StoredRun& row : rows) {
      Inspected& run = runs.emplace_back();
      run.key = row.row.key;
      run.name = namespaces_.name(run.key);
      run.state = check_run(row, namespaces_, report_);
      std::optional<std::string> request_id;
      if (run.state) {
        run.history.emplace(*run.state, run.name);
        request_id = run.state->start_request_id();
        add_awaited(*run.state, run.name, awaited);
        add_waiting(*run.state, run.name, waiting_);
      }
      if (auto status = current_.run(run.key, row.row.status, request_id); !status.ok()) return status;
    }
    report_.count(Table::kRuns, rows.size());
    auto status = inspect_visibility(runs);
    if (status.ok()) status = inspect_history(runs);
    if (status.ok()) status = check_awaited(contents_, awaited, report_);
    if (progress_) progress_(Table::kRuns, report_.of(Table::kRuns).rows);
    return status;
  }

  absl::Status inspect_visibility(const std::vector<Inspected>& runs) {
    std::vector<store::RunKey> keys;
    for (const Inspected& run : runs) keys.push_back(run.key);
    auto rows = contents_.visibility_of(keys);
    if (!rows.ok()) return rows.status();
    report_.count(Table::kVisibility, rows->size());
    std::map<std::pair<std::string, std::string>, const store::VisibilityRow*> by_key;
    for (const store::VisibilityRow& row : *rows) by_key[{row.key.namespace_id, row.key.run_id}] = &row;
    for (const Inspected& run : runs) {
      if (!run.state) continue;
      const auto found = by_key.find({run.key.namespace_id, run.key.run_id});
      check_visibility(found == by_key.end() ? nullptr : found->second, *run.state, namespaces_, run.name, report_);
    }
    return absl::OkStatus();
  }

  absl::Status inspect_history(std::vector<Inspected>& runs) {
    std::map<std::string, Inspected*> by_id;
    std::vector<std::string> ids;
    for (Inspected& run : runs) {
      ids.push_back(run.key.run_id);
      if (run.state) by_id[run.key.run_id] = &run;
    }
    auto status =
        each_page<store::HistoryRow>([&](const std::string& after) { return contents_.history_of(ids, after); },
                                     [&](const std::vector<store::HistoryRow>& rows) {
                                       report_.count(Table::kHistory, rows.size());
                                       for (const store::HistoryRow& row : rows) {
                                         const auto found = by_id.find(row.key.run_id);
                                         if (found != by_id.end()) found->second->history->chunk(row.chunk, report_);
                                       }
                                       return absl::OkStatus();
                                     });
    if (!status.ok()) return status;
    for (Inspected& run : runs) {
      if (run.history) run.history->finish(report_);
    }
    return absl::OkStatus();
  }

  absl::Status inspect_histories_without_run() {
    return each_page<std::string>(
        [&](const std::string& after) { return contents_.history_without_run(after); },
        [&](const std::vector<std::string>& ids) {
          for (const std::string& id : ids) {
            report_.violation(Table::kHistory,
                              absl::StrCat("run ", id,
                                           ": it has history, and there is no such run; delete its rows of history, or "
                                           "restore the run from a backup"));
          }
          return absl::OkStatus();
        });
  }

  absl::Status inspect_visibility_without_run() {
    return each_page<store::RunKey>(
        [&](const std::string& after) { return contents_.visibility_without_run(after); },
        [&](const std::vector<store::RunKey>& keys) {
          for (const store::RunKey& key : keys) {
            report_.violation(Table::kVisibility,
                              absl::StrCat(namespaces_.name(key),
                                           ": list and count show it, and there is no such run; delete its rows of "
                                           "visibility and search_attributes, or restore the run from a backup"));
          }
          return absl::OkStatus();
        });
  }

  store::Contents& contents_;
  const KnownNamespaces namespaces_;
  Report& report_;
  const Progress& progress_;
  CurrentCheck current_;
  WaitingChildren waiting_;  // few: what is under way between two runs at this moment
};

}  // namespace

absl::StatusOr<Report> check(store::Contents& contents, const CheckOptions& options) {
  Report report(options.sentences_per_table);
  auto namespaces = KnownNamespaces::read(contents, report);
  if (!namespaces.ok()) return namespaces.status();
  if (auto status = Inspection(contents, *std::move(namespaces), report, options.progress).inspect(); !status.ok()) {
    return status;
  }
  return report;
}

}  // namespace skald::upkeep
