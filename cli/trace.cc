#include "cli/trace.h"

#include <fmt/format.h>

#include "cli/dropped_signals.h"
#include "cli/event_text.h"
#include "cli/failure_text.h"
#include "cli/payload.h"
#include "cli/time_text.h"
#include "cli/words.h"

namespace skald::cli {

namespace enums = temporal::api::enums::v1;

namespace {

std::string with_reason(std::string what, const std::string& reason) {
  return reason.empty() ? what : fmt::format("{} ({})", what, reason);
}

}  // namespace

Step& Trace::begin(const Event& event, std::string kind, std::string name, std::string id) {
  by_event_[event.event_id()] = steps_.size();
  Step& step = steps_.emplace_back();
  step.kind = std::move(kind);
  step.name = std::move(name);
  step.id = std::move(id);
  step.scheduled = to_time(event.event_time());
  return step;
}

Step* Trace::step_of(int64_t event_id) {
  const auto found = by_event_.find(event_id);
  return found == by_event_.end() ? nullptr : &steps_[found->second];
}

void Trace::end(int64_t begun_by, const Event& event, StepState state, std::string state_text, std::string failure,
                std::string result) {
  Step* step = step_of(begun_by);
  if (step == nullptr) return;
  step->state = state;
  step->state_text = std::move(state_text);
  step->finished = to_time(event.event_time());
  step->failure = std::move(failure);
  step->result = std::move(result);
}

void Trace::add(const Event& event) {
  if (!first_.event_id()) first_ = event;
  last_ = event;
  if (add_activity(event) || add_timer(event) || add_child(event) || add_message(event)) return;
  add_moment(event);
}

bool Trace::add_activity(const Event& event) {
  switch (event.event_type()) {
    case enums::EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: {
      const auto& attributes = event.activity_task_scheduled_event_attributes();
      begin(event, "activity", attributes.activity_type().name(), attributes.activity_id()).input =
          payloads_text(attributes.input());
      return true;
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_STARTED: {
      const auto& attributes = event.activity_task_started_event_attributes();
      if (Step* step = step_of(attributes.scheduled_event_id())) {
        step->started = to_time(event.event_time());
        step->attempts = attributes.attempt();
        if (attributes.has_last_failure()) step->last_failure = root_failure_line(attributes.last_failure());
      }
      return true;
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_COMPLETED: {
      const auto& attributes = event.activity_task_completed_event_attributes();
      end(attributes.scheduled_event_id(), event, StepState::kDone, "completed", "",
          payloads_text(attributes.result()));
      return true;
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_FAILED: {
      const auto& attributes = event.activity_task_failed_event_attributes();
      end(attributes.scheduled_event_id(), event, StepState::kFailed,
          with_reason("failed", words(attributes.retry_state())), failure_chain(attributes.failure()));
      return true;
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: {
      const auto& attributes = event.activity_task_timed_out_event_attributes();
      end(attributes.scheduled_event_id(), event, StepState::kFailed,
          with_reason("timed out", words(attributes.retry_state())), failure_chain(attributes.failure()));
      return true;
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_CANCELED:
      end(event.activity_task_canceled_event_attributes().scheduled_event_id(), event, StepState::kCanceled,
          "canceled");
      return true;
    case enums::EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
      if (Step* step = step_of(event.activity_task_cancel_requested_event_attributes().scheduled_event_id()))
        step->state_text = "cancellation requested";
      return true;
    default:
      return false;
  }
}

bool Trace::add_timer(const Event& event) {
  switch (event.event_type()) {
    case enums::EVENT_TYPE_TIMER_STARTED: {
      const auto& attributes = event.timer_started_event_attributes();
      const absl::Duration wait = to_duration(attributes.start_to_fire_timeout());
      begin(event, "timer", duration_text(wait), attributes.timer_id()).due = to_time(event.event_time()) + wait;
      return true;
    }
    case enums::EVENT_TYPE_TIMER_FIRED:
      end(event.timer_fired_event_attributes().started_event_id(), event, StepState::kDone, "fired");
      return true;
    case enums::EVENT_TYPE_TIMER_CANCELED:
      end(event.timer_canceled_event_attributes().started_event_id(), event, StepState::kCanceled, "canceled");
      return true;
    default:
      return false;
  }
}

bool Trace::add_child(const Event& event) {
  switch (event.event_type()) {
    case enums::EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: {
      const auto& attributes = event.start_child_workflow_execution_initiated_event_attributes();
      begin(event, "child", attributes.workflow_type().name(), attributes.workflow_id()).input =
          payloads_text(attributes.input());
      return true;
    }
    case enums::EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED: {
      const auto& attributes = event.start_child_workflow_execution_failed_event_attributes();
      end(attributes.initiated_event_id(), event, StepState::kFailed, "not started",
          "its workflow id is taken, or its namespace is not there");
      return true;
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: {
      const auto& attributes = event.child_workflow_execution_started_event_attributes();
      if (Step* step = step_of(attributes.initiated_event_id())) {
        step->started = to_time(event.event_time());
        step->run_id = attributes.workflow_execution().run_id();
      }
      return true;
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: {
      const auto& attributes = event.child_workflow_execution_completed_event_attributes();
      end(attributes.initiated_event_id(), event, StepState::kDone, "completed", "",
          payloads_text(attributes.result()));
      return true;
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: {
      const auto& attributes = event.child_workflow_execution_failed_event_attributes();
      end(attributes.initiated_event_id(), event, StepState::kFailed, "failed", failure_chain(attributes.failure()));
      return true;
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
      end(event.child_workflow_execution_canceled_event_attributes().initiated_event_id(), event, StepState::kCanceled,
          "canceled");
      return true;
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
      end(event.child_workflow_execution_timed_out_event_attributes().initiated_event_id(), event, StepState::kFailed,
          "timed out");
      return true;
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
      end(event.child_workflow_execution_terminated_event_attributes().initiated_event_id(), event, StepState::kFailed,
          "terminated");
      return true;
    default:
      return false;
  }
}

bool Trace::add_message(const Event& event) {
  switch (event.event_type()) {
    case enums::EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: {
      const auto& attributes = event.signal_external_workflow_execution_initiated_event_attributes();
      begin(event, "signal to", attributes.workflow_execution().workflow_id(), attributes.signal_name()).input =
          payloads_text(attributes.input());
      return true;
    }
    case enums::EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED:
      end(event.external_workflow_execution_signaled_event_attributes().initiated_event_id(), event, StepState::kDone,
          "delivered");
      return true;
    case enums::EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
      end(event.signal_external_workflow_execution_failed_event_attributes().initiated_event_id(), event,
          StepState::kFailed, "not delivered", "there is no such workflow that runs");
      return true;
    case enums::EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: {
      const auto& attributes = event.request_cancel_external_workflow_execution_initiated_event_attributes();
      begin(event, "cancel of", attributes.workflow_execution().workflow_id(), "").input = attributes.reason();
      return true;
    }
    case enums::EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
      end(event.external_workflow_execution_cancel_requested_event_attributes().initiated_event_id(), event,
          StepState::kDone, "delivered");
      return true;
    case enums::EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
      end(event.request_cancel_external_workflow_execution_failed_event_attributes().initiated_event_id(), event,
          StepState::kFailed, "not delivered", "there is no such workflow that runs");
      return true;
    default:
      return false;
  }
}

void Trace::add_moment(const Event& event) {
  const auto moment = [&](std::string kind, std::string name, std::string input,
                          StepState state = StepState::kInstant) {
    Step& step = begin(event, std::move(kind), std::move(name), "");
    step.state = state;
    step.input = std::move(input);
  };
  switch (event.event_type()) {
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: {
      const auto& attributes = event.workflow_execution_signaled_event_attributes();
      return moment("signal", attributes.signal_name(), payloads_text(attributes.input()));
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
      return moment("cancellation requested", "", event.workflow_execution_cancel_requested_event_attributes().cause());
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
      return moment("update",
                    event.workflow_execution_update_accepted_event_attributes().accepted_request().input().name(), "");
    case enums::EVENT_TYPE_MARKER_RECORDED:
      for (const DroppedSignal& signal : dropped_signals(event)) {
        moment("signal dropped", signal.name, "", StepState::kFailed);
        steps_.back().failure = "of event " + signal.event_id + ", it could not be read: " + signal.reason;
      }
      if (!dropped_signals(event).empty()) return;
      return moment("marker", event.marker_recorded_event_attributes().marker_name(), "");
    case enums::EVENT_TYPE_WORKFLOW_TASK_FAILED:
      moment("workflow task failed", "", "", StepState::kFailed);
      steps_.back().failure = event_detail(event);
      return;
    case enums::EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
      // On a sticky queue this is how a worker's end shows, and costs nothing.
      if (event.workflow_task_timed_out_event_attributes().timeout_type() == enums::TIMEOUT_TYPE_SCHEDULE_TO_START)
        return;
      moment("workflow task timed out", "", "", StepState::kFailed);
      steps_.back().failure = "its worker took it and did not answer in time";
      return;
    default:
      return;
  }
}

}  // namespace skald::cli
