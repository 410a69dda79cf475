#include "cli/event_text.h"

#include <fmt/format.h>

#include "cli/close_text.h"
#include "cli/console.h"
#include "cli/failure_text.h"
#include "cli/json_output.h"
#include "cli/payload.h"
#include "cli/time_text.h"
#include "cli/words.h"

namespace skald::cli {
namespace {

namespace enums = temporal::api::enums::v1;
using temporal::api::common::v1::Payloads;
using temporal::api::history::v1::HistoryEvent;

std::string with(std::string what, const std::string& more) { return more.empty() ? what : what + " " + more; }

std::string joined(std::string what, const std::string& more) { return more.empty() ? what : what + "; " + more; }

std::string about_activity(int64_t scheduled_event_id, const std::string& more) {
  return with(fmt::format("of event {}", scheduled_event_id), more);
}

std::string about_child(const std::string& id, const std::string& type, const std::string& more) {
  return with(fmt::format("{} ({})", id, type), more);
}

// The event's attributes as JSON: for types without a text of their own.
std::string attributes_json(const HistoryEvent& event) {
  const auto* descriptor = event.GetDescriptor()->FindOneofByName("attributes");
  const auto* field = event.GetReflection()->GetOneofFieldDescriptor(event, descriptor);
  if (field == nullptr) return "";
  nlohmann::ordered_json attributes = to_json(event.GetReflection()->GetMessage(event, field));
  attributes.erase("workflowTaskCompletedEventId");
  if (attributes.empty()) return "";
  return attributes.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string activity_detail(const HistoryEvent& event) {
  switch (event.event_type()) {
    case enums::EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: {
      const auto& attributes = event.activity_task_scheduled_event_attributes();
      return with(fmt::format("{} (id {})", attributes.activity_type().name(), attributes.activity_id()),
                  payloads_text(attributes.input()));
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_STARTED: {
      const auto& attributes = event.activity_task_started_event_attributes();
      std::string text = fmt::format("attempt {} by {}", attributes.attempt(), attributes.identity());
      if (attributes.has_last_failure()) text += ", after " + root_failure_line(attributes.last_failure());
      return about_activity(attributes.scheduled_event_id(), text);
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_COMPLETED: {
      const auto& attributes = event.activity_task_completed_event_attributes();
      return about_activity(attributes.scheduled_event_id(), payloads_text(attributes.result()));
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_FAILED: {
      const auto& attributes = event.activity_task_failed_event_attributes();
      return about_activity(attributes.scheduled_event_id(),
                            joined(root_failure_line(attributes.failure()), words(attributes.retry_state())));
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: {
      const auto& attributes = event.activity_task_timed_out_event_attributes();
      return about_activity(attributes.scheduled_event_id(),
                            joined(failure_line(attributes.failure()), words(attributes.retry_state())));
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_CANCELED: {
      const auto& attributes = event.activity_task_canceled_event_attributes();
      return about_activity(attributes.scheduled_event_id(), payloads_text(attributes.details()));
    }
    default:
      return about_activity(event.activity_task_cancel_requested_event_attributes().scheduled_event_id(), "");
  }
}

std::string child_detail(const HistoryEvent& event) {
  const auto text = [](const auto& attributes, const std::string& more) {
    return about_child(attributes.workflow_execution().workflow_id(), attributes.workflow_type().name(), more);
  };
  switch (event.event_type()) {
    case enums::EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: {
      const auto& attributes = event.start_child_workflow_execution_initiated_event_attributes();
      return about_child(attributes.workflow_id(), attributes.workflow_type().name(),
                         payloads_text(attributes.input()));
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: {
      const auto& attributes = event.child_workflow_execution_started_event_attributes();
      return text(attributes, "run " + attributes.workflow_execution().run_id());
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: {
      const auto& attributes = event.child_workflow_execution_completed_event_attributes();
      return text(attributes, payloads_text(attributes.result()));
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: {
      const auto& attributes = event.child_workflow_execution_failed_event_attributes();
      return text(attributes, root_failure_line(attributes.failure()));
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
      return text(event.child_workflow_execution_canceled_event_attributes(), "");
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
      return text(event.child_workflow_execution_timed_out_event_attributes(), "");
    default:
      return text(event.child_workflow_execution_terminated_event_attributes(), "");
  }
}

std::string workflow_task_detail(const HistoryEvent& event) {
  switch (event.event_type()) {
    case enums::EVENT_TYPE_WORKFLOW_TASK_SCHEDULED: {
      const auto& attributes = event.workflow_task_scheduled_event_attributes();
      return with(attributes.task_queue().name(),
                  attributes.attempt() > 1 ? fmt::format("attempt {}", attributes.attempt()) : "");
    }
    case enums::EVENT_TYPE_WORKFLOW_TASK_STARTED:
      return "by " + event.workflow_task_started_event_attributes().identity();
    case enums::EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
      return "by " + event.workflow_task_completed_event_attributes().identity();
    case enums::EVENT_TYPE_WORKFLOW_TASK_FAILED: {
      const auto& attributes = event.workflow_task_failed_event_attributes();
      const std::string cause = words(attributes.cause());
      return attributes.has_failure() ? fmt::format("{}: {}", cause, root_failure_line(attributes.failure())) : cause;
    }
    default:
      return words(event.workflow_task_timed_out_event_attributes().timeout_type());
  }
}

std::string timer_detail(const HistoryEvent& event) {
  if (event.has_timer_started_event_attributes()) {
    const auto& attributes = event.timer_started_event_attributes();
    return fmt::format("id {}, {}", attributes.timer_id(),
                       duration_text(to_duration(attributes.start_to_fire_timeout())));
  }
  return "id " + (event.has_timer_fired_event_attributes() ? event.timer_fired_event_attributes().timer_id()
                                                           : event.timer_canceled_event_attributes().timer_id());
}

std::string detail_of(const HistoryEvent& event) {
  const std::string name = event_name(event.event_type());
  if (closes(event)) return ending(event).summary;
  if (name.rfind("ActivityTask", 0) == 0) return activity_detail(event);
  if (name.rfind("WorkflowTask", 0) == 0) return workflow_task_detail(event);
  if (name.rfind("Timer", 0) == 0) return timer_detail(event);
  if (name.rfind("ChildWorkflow", 0) == 0 || event.has_start_child_workflow_execution_initiated_event_attributes())
    return child_detail(event);
  if (event.has_workflow_execution_started_event_attributes()) {
    const auto& attributes = event.workflow_execution_started_event_attributes();
    return with(attributes.workflow_type().name(), payloads_text(attributes.input()));
  }
  if (event.has_workflow_execution_signaled_event_attributes()) {
    const auto& attributes = event.workflow_execution_signaled_event_attributes();
    return with(attributes.signal_name(), payloads_text(attributes.input()));
  }
  if (event.has_workflow_execution_cancel_requested_event_attributes())
    return event.workflow_execution_cancel_requested_event_attributes().cause();
  return attributes_json(event);
}

}  // namespace

std::string event_detail(const HistoryEvent& event) { return one_line(detail_of(event)); }

}  // namespace skald::cli
