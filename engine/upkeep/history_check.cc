#include "engine/upkeep/history_check.h"

#include <utility>

#include "temporal/api/enums/v1/workflow.pb.h"
#include "temporal/api/history/v1/message.pb.h"
#include <absl/strings/str_cat.h>

namespace skald::upkeep {
namespace {

namespace enums = temporal::api::enums::v1;

// The event that closes a run with this status.
int closing_event(int status) {
  switch (status) {
    case enums::WORKFLOW_EXECUTION_STATUS_COMPLETED:
      return enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED;
    case enums::WORKFLOW_EXECUTION_STATUS_FAILED:
      return enums::EVENT_TYPE_WORKFLOW_EXECUTION_FAILED;
    case enums::WORKFLOW_EXECUTION_STATUS_CANCELED:
      return enums::EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED;
    case enums::WORKFLOW_EXECUTION_STATUS_TERMINATED:
      return enums::EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED;
    case enums::WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
      return enums::EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW;
    case enums::WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
      return enums::EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT;
    default:
      return enums::EVENT_TYPE_UNSPECIFIED;
  }
}

bool closes(int type) {
  for (int status = enums::WORKFLOW_EXECUTION_STATUS_COMPLETED; status <= enums::WORKFLOW_EXECUTION_STATUS_TIMED_OUT;
       ++status) {
    if (closing_event(status) == type) return true;
  }
  return false;
}

std::string events(int64_t first, int64_t last) {
  return first == last ? absl::StrCat("event ", first) : absl::StrCat("events ", first, " to ", last);
}

}  // namespace

HistoryCheck::HistoryCheck(const skald::state::v1::RunState& state, std::string name)
    : name_(std::move(name)),
      workflow_type_(state.workflow_type()),
      status_(state.status()),
      end_(state.next_event_id()),
      size_bytes_(state.history_size_bytes()) {
  expect_begun(state);
}

void HistoryCheck::expect_begun(const skald::state::v1::RunState& state) {
  if (state.has_workflow_task() && !state.workflow_task().transient()) {
    begun_[state.workflow_task().scheduled_event_id()] = enums::EVENT_TYPE_WORKFLOW_TASK_SCHEDULED;
  }
  for (const auto& [id, activity] : state.activities()) begun_[id] = enums::EVENT_TYPE_ACTIVITY_TASK_SCHEDULED;
  for (const auto& [id, timer] : state.timers()) begun_[timer.started_event_id()] = enums::EVENT_TYPE_TIMER_STARTED;
  for (const auto& [id, child] : state.children()) {
    begun_[id] = enums::EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED;
  }
  for (const auto& [id, external] : state.external_signals()) {
    begun_[id] = enums::EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED;
  }
  for (const auto& [id, external] : state.external_cancels()) {
    begun_[id] = enums::EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED;
  }
}

void HistoryCheck::violation(const std::string& what, Report& report) {
  report.violation(Table::kHistory,
                   absl::StrCat(name_, ": ", what,
                                "; restore the store from a backup, or delete the run's rows if it is not needed"));
}

void HistoryCheck::chunk(const store::HistoryChunk& chunk, Report& report) {
  if (broken_) return;
  std::string problem;
  if (chunk.first_event_id > next_) {
    problem = absl::StrCat("its history lacks ", events(next_, chunk.first_event_id - 1));
  } else if (chunk.first_event_id < next_) {
    problem = absl::StrCat("its history has ", events(chunk.first_event_id, next_ - 1), " twice");
  } else if (chunk.last_event_id < chunk.first_event_id) {
    problem = absl::StrCat("its history ends before it begins at event ", chunk.first_event_id);
  } else {
    problem = read(chunk);
  }
  if (problem.empty()) return;
  broken_ = true;
  violation(problem, report);
}

std::string HistoryCheck::read(const store::HistoryChunk& chunk) {
  const std::string where = events(chunk.first_event_id, chunk.last_event_id);
  temporal::api::history::v1::History history;
  if (!history.ParseFromString(chunk.bytes)) return absl::StrCat("its ", where, " cannot be read");
  if (history.events_size() != chunk.last_event_id - chunk.first_event_id + 1) {
    return absl::StrCat("the row of its ", where, " holds ", history.events_size());
  }
  for (const auto& event : history.events()) {
    if (event.event_id() != next_) return absl::StrCat("where event ", next_, " should be stands ", event.event_id());
    if (closes(last_type_)) return absl::StrCat("event ", next_, " comes after the one that closed it");
    const auto wanted = begun_.find(next_);
    if (wanted != begun_.end() && wanted->second != event.event_type()) {
      return absl::StrCat("its state waits for what event ", next_, " began, and that is ",
                          enums::EventType_Name(event.event_type()));
    }
    if (next_ == 1 && (!event.has_workflow_execution_started_event_attributes() ||
                       event.workflow_execution_started_event_attributes().workflow_type().name() != workflow_type_)) {
      return absl::StrCat("event 1 is not the start of a ", workflow_type_);
    }
    const auto& time = event.event_time();
    if (std::pair(time.seconds(), int64_t{time.nanos()}) < std::pair(last_seconds_, last_nanos_)) {
      return absl::StrCat("event ", next_, " happened before the one before");
    }
    last_seconds_ = time.seconds();
    last_nanos_ = time.nanos();
    last_type_ = event.event_type();
    bytes_ += static_cast<int64_t>(event.ByteSizeLong());
    ++next_;
  }
  return "";
}

void HistoryCheck::finish(Report& report) {
  if (broken_) return;
  if (next_ < end_) return violation(absl::StrCat("its history lacks ", events(next_, end_ - 1)), report);
  if (next_ > end_) {
    return violation(absl::StrCat("its history goes on to event ", next_ - 1, ", and its state knows of ", end_ - 1),
                     report);
  }
  const int closing = closing_event(status_);
  if (closing != 0 && last_type_ != closing) {
    return violation(absl::StrCat("its state is closed, and its last event is ", enums::EventType_Name(last_type_)),
                     report);
  }
  if (closing == 0 && closes(last_type_)) {
    return violation(absl::StrCat("its state is open, and its last event is ", enums::EventType_Name(last_type_)),
                     report);
  }
  if (bytes_ != size_bytes_) {
    violation(absl::StrCat("its events take ", bytes_, " bytes, and its state counts ", size_bytes_), report);
  }
}

}  // namespace skald::upkeep
