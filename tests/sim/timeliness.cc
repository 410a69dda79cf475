#include "tests/sim/timeliness.h"

#include <map>

#include <fmt/core.h>
#include <google/protobuf/util/time_util.h>

namespace skald::sim {
namespace {

using google::protobuf::util::TimeUtil;
using temporal::api::history::v1::HistoryEvent;

// Without a fault: some commits of the slow store.
constexpr absl::Duration kStep = absl::Milliseconds(250);
constexpr absl::Duration kTaskTimeout = absl::Seconds(11);

absl::Time time_of(const HistoryEvent& event) {
  return absl::FromUnixNanos(TimeUtil::TimestampToNanoseconds(event.event_time()));
}

class Timeliness {
 public:
  Timeliness(const std::string& workflow_id, Auditor& auditor) : id_(workflow_id), auditor_(auditor) {}

  void look_at(const HistoryEvent& event) {
    const absl::Time now = time_of(event);
    due_[event.event_id()] = now;
    if (event.has_timer_started_event_attributes()) {
      const auto& timer = event.timer_started_event_attributes();
      due_[event.event_id()] += absl::Nanoseconds(TimeUtil::DurationToNanoseconds(timer.start_to_fire_timeout()));
    }
    if (event.has_timer_fired_event_attributes()) {
      const int64_t started = event.timer_fired_event_attributes().started_event_id();
      if (now < due_[started]) auditor_.blame(fmt::format("{}: timer {} fired before it was due", id_, started));
      ended("timer", started, now);
    }
    if (event.has_workflow_task_completed_event_attributes())
      ended("workflow task", event.workflow_task_completed_event_attributes().scheduled_event_id(), now);
    if (event.has_child_workflow_execution_started_event_attributes())
      ended("child", event.child_workflow_execution_started_event_attributes().initiated_event_id(), now);
    if (event.has_external_workflow_execution_signaled_event_attributes())
      ended("signal", event.external_workflow_execution_signaled_event_attributes().initiated_event_id(), now);
    if (event.has_workflow_task_failed_event_attributes())
      failed(event.workflow_task_failed_event_attributes().scheduled_event_id(), event);
    if (event.has_workflow_task_timed_out_event_attributes())
      failed(event.workflow_task_timed_out_event_attributes().scheduled_event_id(), event);
  }

 private:
  // A workflow task whose start a commit has taken along outlives the process that runs it, and holds up the run until
  // it times out.
  void ended(const char* what, int64_t from, absl::Time now) {
    if (auditor_.disturbed(due_[from] - kTaskTimeout, now)) return;
    auditor_.took(fmt::format("{}: {} {}", id_, what, from), due_[from], now, kStep);
  }

  void failed(int64_t scheduled, const HistoryEvent& event) {
    if (!auditor_.disturbed(due_[scheduled] - kTaskTimeout, time_of(event)))
      auditor_.blame(fmt::format("{}: a workflow task ended badly: {}", id_, event.ShortDebugString()));
  }

  const std::string& id_;
  Auditor& auditor_;
  std::map<int64_t, absl::Time> due_;  // by event
};

}  // namespace

void inspect_timeliness(const std::string& workflow_id, const temporal::api::history::v1::History& history,
                        Auditor& auditor) {
  Timeliness timeliness(workflow_id, auditor);
  for (const HistoryEvent& event : history.events()) timeliness.look_at(event);
}

}  // namespace skald::sim
