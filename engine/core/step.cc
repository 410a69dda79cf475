#include "engine/core/step.h"

#include <map>

namespace skald::core {
namespace {

bool is_entity_close(enums::EventType type) {
  switch (type) {
    case enums::EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
    case enums::EVENT_TYPE_ACTIVITY_TASK_FAILED:
    case enums::EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
    case enums::EVENT_TYPE_ACTIVITY_TASK_CANCELED:
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
      return true;
    default:
      return false;
  }
}

// Fills in the id of the start, where start and close were buffered together.
template <typename Attributes>
void link_start(Attributes* attributes, int64_t key, const std::map<int64_t, int64_t>& starts) {
  const auto start = starts.find(key);
  if (attributes->started_event_id() == 0 && start != starts.end()) attributes->set_started_event_id(start->second);
}

void link_to_start(HistoryEvent& event, const std::map<int64_t, int64_t>& activities, const std::map<int64_t, int64_t>& children) {
  switch (event.event_type()) {
    case enums::EVENT_TYPE_ACTIVITY_TASK_COMPLETED: {
      auto* attributes = event.mutable_activity_task_completed_event_attributes();
      return link_start(attributes, attributes->scheduled_event_id(), activities);
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_FAILED: {
      auto* attributes = event.mutable_activity_task_failed_event_attributes();
      return link_start(attributes, attributes->scheduled_event_id(), activities);
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: {
      auto* attributes = event.mutable_activity_task_timed_out_event_attributes();
      return link_start(attributes, attributes->scheduled_event_id(), activities);
    }
    case enums::EVENT_TYPE_ACTIVITY_TASK_CANCELED: {
      auto* attributes = event.mutable_activity_task_canceled_event_attributes();
      return link_start(attributes, attributes->scheduled_event_id(), activities);
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: {
      auto* attributes = event.mutable_child_workflow_execution_completed_event_attributes();
      return link_start(attributes, attributes->initiated_event_id(), children);
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: {
      auto* attributes = event.mutable_child_workflow_execution_failed_event_attributes();
      return link_start(attributes, attributes->initiated_event_id(), children);
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT: {
      auto* attributes = event.mutable_child_workflow_execution_timed_out_event_attributes();
      return link_start(attributes, attributes->initiated_event_id(), children);
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED: {
      auto* attributes = event.mutable_child_workflow_execution_canceled_event_attributes();
      return link_start(attributes, attributes->initiated_event_id(), children);
    }
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED: {
      auto* attributes = event.mutable_child_workflow_execution_terminated_event_attributes();
      return link_start(attributes, attributes->initiated_event_id(), children);
    }
    default:
      return;
  }
}

}  // namespace

absl::Time Step::event_time() const {
  return state.has_last_event_time() ? std::max(context.now, to_time(state.last_event_time())) : context.now;
}

HistoryEvent& Step::numbered(HistoryEvent& event) {
  const absl::Time time = event_time();
  event.set_event_id(state.next_event_id());
  set(event.mutable_event_time(), time);
  set(state.mutable_last_event_time(), time);
  state.set_next_event_id(state.next_event_id() + 1);
  return event;
}

HistoryEvent& Step::append(enums::EventType type) {
  mark_durable();
  HistoryEvent& event = effects.events.emplace_back();
  event.set_event_type(type);
  return numbered(event);
}

HistoryEvent& Step::arrive(enums::EventType type) {
  if (!task_started() || closed()) return append(type);
  mark_durable();
  HistoryEvent& event = *state.add_buffered_events();
  event.set_event_type(type);
  set(event.mutable_event_time(), event_time());
  return event;
}

bool Step::flush_buffered() {
  if (state.buffered_events_size() == 0) return false;
  auto buffered = std::move(*state.mutable_buffered_events());
  state.clear_buffered_events();
  std::map<int64_t, int64_t> activity_starts;
  std::map<int64_t, int64_t> child_starts;
  for (const bool closes : {false, true}) {
    for (HistoryEvent& event : buffered) {
      if (is_entity_close(event.event_type()) != closes) continue;
      HistoryEvent& placed = numbered(effects.events.emplace_back(std::move(event)));
      if (placed.has_activity_task_started_event_attributes()) {
        activity_starts[placed.activity_task_started_event_attributes().scheduled_event_id()] = placed.event_id();
      } else if (placed.has_child_workflow_execution_started_event_attributes()) {
        const int64_t initiated = placed.child_workflow_execution_started_event_attributes().initiated_event_id();
        child_starts[initiated] = placed.event_id();
        const auto child = state.mutable_children()->find(initiated);
        if (child != state.mutable_children()->end()) child->second.set_started_event_id(placed.event_id());
      } else {
        link_to_start(placed, activity_starts, child_starts);
      }
    }
  }
  mark_durable();
  return true;
}

}  // namespace skald::core
