#include <absl/strings/str_cat.h>

#include <algorithm>

#include "engine/core/step.h"

namespace skald::core {
namespace {

CommandError bad_timer(std::string text) { return {enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_START_TIMER_ATTRIBUTES, std::move(text)}; }

}  // namespace

CommandResult start_timer(Step& step, const temporal::api::command::v1::Command& command, int64_t completed_event_id) {
  const auto& given = command.start_timer_command_attributes();
  if (given.timer_id().empty()) return bad_timer("TimerId is not set on StartTimerCommand.");
  if (given.timer_id().size() > step.context.limits.id_length) return bad_timer("TimerId exceeds the length limit.");
  if (to_duration(given.start_to_fire_timeout()) < absl::ZeroDuration()) return bad_timer("StartToFireTimeout cannot be negative.");
  if (step.state.timers().contains(given.timer_id())) {
    return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_START_TIMER_DUPLICATE_ID, absl::StrCat("a timer with the id ", given.timer_id(), " is pending")};
  }
  auto& event = step.append(enums::EVENT_TYPE_TIMER_STARTED);
  if (command.has_user_metadata()) *event.mutable_user_metadata() = command.user_metadata();
  auto* attributes = event.mutable_timer_started_event_attributes();
  attributes->set_timer_id(given.timer_id());
  *attributes->mutable_start_to_fire_timeout() = given.start_to_fire_timeout();
  attributes->set_workflow_task_completed_event_id(completed_event_id);
  state::PendingTimer& timer = (*step.state.mutable_timers())[given.timer_id()];
  timer.set_timer_id(given.timer_id());
  timer.set_started_event_id(event.event_id());
  set(timer.mutable_fire_time(), to_time(event.event_time()) + to_duration(given.start_to_fire_timeout()));
  if (command.has_user_metadata()) *timer.mutable_user_metadata() = command.user_metadata();
  return std::nullopt;
}

CommandResult cancel_timer(Step& step, const std::string& timer_id, int64_t completed_event_id, const std::string& identity) {
  int64_t started = 0;
  const auto pending = step.state.timers().find(timer_id);
  if (pending != step.state.timers().end()) {
    started = pending->second.started_event_id();
    step.state.mutable_timers()->erase(timer_id);
  } else {
    // It may have fired while the task was under way, and nobody has seen that yet.
    auto& buffered = *step.state.mutable_buffered_events();
    const auto fired = std::find_if(buffered.begin(), buffered.end(), [&](const HistoryEvent& event) {
      return event.has_timer_fired_event_attributes() && event.timer_fired_event_attributes().timer_id() == timer_id;
    });
    if (fired == buffered.end()) {
      return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_TIMER_ATTRIBUTES, absl::StrCat("there is no timer with the id ", timer_id)};
    }
    started = fired->timer_fired_event_attributes().started_event_id();
    buffered.erase(fired);
  }
  auto* attributes = step.append(enums::EVENT_TYPE_TIMER_CANCELED).mutable_timer_canceled_event_attributes();
  attributes->set_timer_id(timer_id);
  attributes->set_started_event_id(started);
  attributes->set_workflow_task_completed_event_id(completed_event_id);
  attributes->set_identity(identity);
  return std::nullopt;
}

void tick_timers(Step& step) {
  // In the order of their times; of equal times, in the order they were started.
  std::vector<state::PendingTimer> due;
  for (const auto& [id, timer] : step.state.timers()) {
    if (to_time(timer.fire_time()) <= step.context.now) due.push_back(timer);
  }
  std::sort(due.begin(), due.end(), [](const auto& a, const auto& b) {
    return std::pair(to_time(a.fire_time()), a.started_event_id()) < std::pair(to_time(b.fire_time()), b.started_event_id());
  });
  for (const state::PendingTimer& timer : due) {
    auto* attributes = step.arrive(enums::EVENT_TYPE_TIMER_FIRED).mutable_timer_fired_event_attributes();
    attributes->set_timer_id(timer.timer_id());
    attributes->set_started_event_id(timer.started_event_id());
    step.state.mutable_timers()->erase(timer.timer_id());
  }
  if (!due.empty()) schedule_workflow_task(step);
}

}  // namespace skald::core
