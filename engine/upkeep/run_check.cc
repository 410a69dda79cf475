#include "engine/upkeep/run_check.h"

#include <utility>

#include "temporal/api/enums/v1/workflow.pb.h"
#include <absl/strings/str_cat.h>

#include "engine/core/core.h"

namespace skald::upkeep {
namespace {

constexpr char kRestore[] = "; restore the store from a backup, or delete the run's rows if it is not needed";

// One run's row under inspection.
class RunCheck {
 public:
  RunCheck(const store::StoredRun& run, const RunState& state, std::string name, Report& report)
      : row_(run.row), slot_(run.slot), state_(state), name_(std::move(name)), report_(report) {}

  void inspect() {
    check_ids();
    check_columns();
    check_ends();
    check_task();
    check_pending();
  }

 private:
  void damaged(const std::string& what) { report_.violation(Table::kRuns, absl::StrCat(name_, ": ", what, kRestore)); }
  void wrong_column(std::string_view column, const std::string& is, const std::string& should) {
    report_.violation(Table::kRuns,
                      absl::StrCat(name_, ": the column ", std::string(column), " is ", is, " and its state says ",
                                   should, "; set it to ", should, " while no server runs"));
  }

  void check_ids() {
    if (state_.namespace_id() == row_.key.namespace_id && state_.workflow_id() == row_.key.workflow_id &&
        state_.run_id() == row_.key.run_id) {
      return;
    }
    damaged(absl::StrCat("its state is that of workflow ", state_.workflow_id(), ", run ", state_.run_id(),
                         ", namespace id ", state_.namespace_id()));
  }

  void check_columns() {
    const int slot = store::slot_of(row_.key.namespace_id, row_.key.workflow_id);
    if (slot_ != slot) {
      report_.violation(Table::kRuns,
                        absl::StrCat(name_, ": the column slot is ", slot_, ", and the slot of its key is ", slot,
                                     "; set it to ", slot, " while no server runs"));
    }
    if (row_.status != state_.status()) {
      wrong_column("status", absl::StrCat(row_.status, " (", status_name(row_.status), ")"),
                   absl::StrCat(static_cast<int>(state_.status()), " (", status_name(state_.status()), ")"));
    }
    const absl::Time wake = core::next_wake(state_);
    if (!same_time(row_.wake_time, wake)) wrong_column("wake_time", sql_time(row_.wake_time), sql_time(wake));
    const bool work = core::has_work(state_);
    if (row_.has_work != work) wrong_column("has_work", row_.has_work ? "1" : "0", work ? "1" : "0");
  }

  void check_ends() {
    if (state_.status() < temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_RUNNING ||
        state_.status() > temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_TIMED_OUT) {
      return damaged(absl::StrCat("its state has ", status_name(state_.status()), ", which there is not"));
    }
    if (!state_.has_start_time()) damaged("its state has no start time");
    if (state_.next_event_id() < 2) damaged("its state knows of no event");
    if (is_open(state_.status())) {
      if (state_.has_close_time()) damaged("its state is open and has a close time");
      return;
    }
    if (!state_.has_close_time()) damaged("its state is closed and has no close time");
    if (!state_.has_delete_time()) damaged("its state is closed and has no time of deletion: it would stay for ever");
    if (state_.has_workflow_task() || !state_.activities().empty() || !state_.timers().empty() ||
        state_.buffered_events_size() > 0) {
      damaged("its state is closed and still has tasks, timers or events that wait");
    }
  }

  bool is_past(int64_t event_id) const { return event_id > 0 && event_id < state_.next_event_id(); }

  void check_task() {
    if (!state_.has_workflow_task()) return;
    const auto& task = state_.workflow_task();
    // A task after a failed one has its events in history only when it completes.
    if (task.attempt() < 1 || task.scheduled_event_id() < 1 ||
        (!task.transient() && !is_past(task.scheduled_event_id()))) {
      damaged(absl::StrCat("its workflow task was scheduled by event ", task.scheduled_event_id(), ", attempt ",
                           task.attempt(), ", which there is not"));
    }
    const int64_t started = task.started_event_id();
    if (started != 0 && started <= task.scheduled_event_id())
      damaged("its workflow task started before it was scheduled");
    if (started != 0 && !task.has_started_time()) damaged("its workflow task started at no time");
  }

  void check_pending() {
    for (const auto& [id, activity] : state_.activities()) {
      if (id != activity.scheduled_event_id() || !is_past(id) || activity.attempt() < 1 ||
          !activity.has_scheduled_time() || !activity.has_attempt_scheduled_time()) {
        damaged(absl::StrCat("its pending activity ", activity.activity_id(), " of event ", id, " is not whole"));
      }
    }
    for (const auto& [id, timer] : state_.timers()) {
      if (id != timer.timer_id() || !is_past(timer.started_event_id()) || !timer.has_fire_time()) {
        damaged(absl::StrCat("its timer ", id, " of event ", timer.started_event_id(), " is not whole"));
      }
    }
    for (const auto& [id, child] : state_.children()) {
      if (id != child.initiated_event_id() || !is_past(id)) {
        damaged(absl::StrCat("its pending child ", child.workflow_id(), " of event ", id, " is not whole"));
      }
    }
    for (const auto* externals : {&state_.external_signals(), &state_.external_cancels()}) {
      for (const auto& [id, external] : *externals) {
        if (id == external.initiated_event_id() && is_past(id)) continue;
        damaged(absl::StrCat("its pending message to workflow ", external.target().workflow_id(), " of event ", id,
                             " is not whole"));
      }
    }
  }

  const store::RunRow& row_;
  const int slot_;
  const RunState& state_;
  const std::string name_;
  Report& report_;
};

}  // namespace

bool is_open(int status) { return status == temporal::api::enums::v1::WORKFLOW_EXECUTION_STATUS_RUNNING; }

std::optional<RunState> check_run(const store::StoredRun& run, const KnownNamespaces& namespaces, Report& report) {
  const store::RunKey& key = run.row.key;
  std::string name = namespaces.name(key);
  if (!namespaces.contains(key.namespace_id)) {
    report.violation(
        Table::kRuns,
        absl::StrCat(name, ": there is no namespace of this id; restore the row of namespaces from a backup"));
  }
  RunState state;
  if (!state.ParseFromString(run.row.state)) {
    report.violation(Table::kRuns, absl::StrCat(name, ": its state cannot be read", kRestore));
    return std::nullopt;
  }
  RunCheck(run, state, std::move(name), report).inspect();
  return state;
}

}  // namespace skald::upkeep
