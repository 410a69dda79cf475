#include "lua/command_log.h"

#include <absl/strings/str_cat.h>

namespace skald::lua {
namespace {

using namespace temporal::api::enums::v1;
using temporal::api::history::v1::HistoryEvent;

struct Words {
  CommandType type;
  const char* event;  // what history has
  const char* did;    // what the workflow did
  const char* id;     // what the id is of
};

constexpr Words kWords[] = {
    {COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK, "ActivityTaskScheduled", "started an activity", "activity"},
    {COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK, "ActivityTaskCancelRequested", "cancelled an activity",
     "scheduled by event"},
    {COMMAND_TYPE_START_TIMER, "TimerStarted", "started a timer", "timer"},
    {COMMAND_TYPE_CANCEL_TIMER, "TimerCanceled", "cancelled a timer", "timer"},
    {COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION, "StartChildWorkflowExecutionInitiated", "started a child workflow",
     "workflow"},
    {COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION, "SignalExternalWorkflowExecutionInitiated",
     "signalled a workflow", "workflow"},
    {COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION, "RequestCancelExternalWorkflowExecutionInitiated",
     "cancelled a workflow", "workflow"},
    {COMMAND_TYPE_RECORD_MARKER, "MarkerRecorded", "recorded a marker", "marker"},
    {COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, "UpsertWorkflowSearchAttributes", "set search attributes", ""},
    {COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES, "WorkflowPropertiesModified", "set its memo", ""},
    {COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION, "WorkflowExecutionCompleted", "completed", ""},
    {COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION, "WorkflowExecutionFailed", "failed", ""},
    {COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION, "WorkflowExecutionCanceled", "ended as cancelled", ""},
    {COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION, "WorkflowExecutionContinuedAsNew", "continued as new", ""},
};

const Words& words_of(CommandType type) {
  for (const Words& words : kWords) {
    if (words.type == type) return words;
  }
  static constexpr Words kUnknown = {COMMAND_TYPE_UNSPECIFIED, "an unknown event", "did something unknown", ""};
  return kUnknown;
}

std::string parameters(const ExpectedEvent& event) {
  const Words& words = words_of(event.type);
  if (words.id[0] == '\0' || (event.id.empty() && event.name.empty())) return "";
  const std::string id = event.id.empty() ? "" : absl::StrCat(words.id, " ", event.id);
  return absl::StrCat(" (", id, id.empty() || event.name.empty() ? "" : ", ", event.name, ")");
}

std::string where(const ExpectedEvent& given) { return given.place.empty() ? "" : absl::StrCat(" at ", given.place); }

}  // namespace

std::optional<ExpectedEvent> command_of(const HistoryEvent& event) {
  switch (event.event_type()) {
    case EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: {
      const auto& attributes = event.activity_task_scheduled_event_attributes();
      return ExpectedEvent{COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK, attributes.activity_id(),
                           attributes.activity_type().name()};
    }
    case EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
      return ExpectedEvent{COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK,
                           absl::StrCat(event.activity_task_cancel_requested_event_attributes().scheduled_event_id())};
    case EVENT_TYPE_TIMER_STARTED:
      return ExpectedEvent{COMMAND_TYPE_START_TIMER, event.timer_started_event_attributes().timer_id()};
    case EVENT_TYPE_TIMER_CANCELED:
      return ExpectedEvent{COMMAND_TYPE_CANCEL_TIMER, event.timer_canceled_event_attributes().timer_id()};
    case EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: {
      const auto& attributes = event.start_child_workflow_execution_initiated_event_attributes();
      return ExpectedEvent{COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION, attributes.workflow_id(),
                           attributes.workflow_type().name()};
    }
    case EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: {
      const auto& attributes = event.signal_external_workflow_execution_initiated_event_attributes();
      return ExpectedEvent{COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
                           attributes.workflow_execution().workflow_id(), attributes.signal_name()};
    }
    case EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
      return ExpectedEvent{COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION,
                           event.request_cancel_external_workflow_execution_initiated_event_attributes()
                               .workflow_execution()
                               .workflow_id()};
    case EVENT_TYPE_MARKER_RECORDED:
      return ExpectedEvent{COMMAND_TYPE_RECORD_MARKER, "", event.marker_recorded_event_attributes().marker_name()};
    case EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
      return ExpectedEvent{COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES};
    case EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED:
      return ExpectedEvent{COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES};
    case EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
      return ExpectedEvent{COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION};
    case EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
      return ExpectedEvent{COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION};
    case EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
      return ExpectedEvent{COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION};
    case EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
      return ExpectedEvent{COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION};
    default:
      return std::nullopt;
  }
}

bool matches(const ExpectedEvent& given, const ExpectedEvent& recorded) {
  return given.type == recorded.type && given.id == recorded.id && given.name == recorded.name;
}

std::string mismatch(const HistoryEvent& event, const ExpectedEvent& recorded, const ExpectedEvent* given) {
  const std::string has =
      absl::StrCat("event ", event.event_id(), " is ", words_of(recorded.type).event, parameters(recorded));
  if (given == nullptr) return absl::StrCat(has, ", but the workflow did nothing more at this point");
  return absl::StrCat(has, ", but the workflow ", words_of(given->type).did, parameters(*given), where(*given));
}

std::string surplus(const ExpectedEvent& given, int64_t before_event_id) {
  return absl::StrCat("the workflow ", words_of(given.type).did, parameters(given), where(given),
                      ", but history has nothing of it before event ", before_event_id);
}

}  // namespace skald::lua
