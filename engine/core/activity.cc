#include <algorithm>

#include <absl/strings/str_cat.h>

#include "engine/core/error.h"
#include "engine/core/step.h"

namespace skald::core {
namespace {

CommandError bad_activity(std::string text) {
  return {enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES, std::move(text)};
}

// Fills the timeouts that were left out from those that were given, and keeps all within the run's own.
std::optional<std::string> settle_timeouts(const Step& step, state::PendingActivity& activity) {
  const auto get = [](const google::protobuf::Duration& field) { return to_duration(field); };
  absl::Duration to_close = get(activity.schedule_to_close());
  absl::Duration to_start = get(activity.schedule_to_start());
  absl::Duration attempt = get(activity.start_to_close());
  absl::Duration heartbeat = get(activity.heartbeat());
  const absl::Duration zero = absl::ZeroDuration();
  if (to_close < zero || to_start < zero || attempt < zero || heartbeat < zero)
    return "A valid timeout may not be negative.";
  if (to_close == zero && attempt == zero)
    return "A valid StartToClose or ScheduleToCloseTimeout is not set on command.";
  const absl::Duration run_timeout = get(step.state.run_timeout());
  if (run_timeout > zero) {
    to_close = to_close > zero ? std::min(to_close, run_timeout) : run_timeout;
  }
  if (to_close > zero) {
    to_start = to_start > zero ? std::min(to_start, to_close) : to_close;
    attempt = attempt > zero ? std::min(attempt, to_close) : to_close;
  }
  if (attempt > zero) heartbeat = std::min(heartbeat, attempt);
  set(activity.mutable_schedule_to_close(), to_close);
  set(activity.mutable_schedule_to_start(), to_start);
  set(activity.mutable_start_to_close(), attempt);
  set(activity.mutable_heartbeat(), heartbeat);
  return std::nullopt;
}

std::optional<std::string> check_retry_policy(const common::RetryPolicy& policy) {
  const absl::Duration initial = to_duration(policy.initial_interval());
  const absl::Duration longest = to_duration(policy.maximum_interval());
  if (initial < absl::ZeroDuration()) return "InitialInterval cannot be negative on retry policy.";
  if (policy.backoff_coefficient() != 0 && policy.backoff_coefficient() < 1)
    return "BackoffCoefficient cannot be less than 1 on retry policy.";
  if (longest < absl::ZeroDuration()) return "MaximumInterval cannot be negative on retry policy.";
  if (longest > absl::ZeroDuration() && longest < initial)
    return "MaximumInterval cannot be less than InitialInterval on retry policy.";
  if (policy.maximum_attempts() < 0) return "MaximumAttempts cannot be negative on retry policy.";
  return std::nullopt;
}

void remove(Step& step, int64_t scheduled_event_id) {
  step.state.mutable_activities()->erase(scheduled_event_id);
  std::erase(step.effects.dispatch_activities, scheduled_event_id);
}

void append_canceled(Step& step, const state::PendingActivity& activity, const common::Payloads* details,
                     const std::string& identity) {
  int64_t started = 0;
  if (activity.has_started_time()) started = append_activity_started(step, activity);
  auto* attributes =
      step.arrive(enums::EVENT_TYPE_ACTIVITY_TASK_CANCELED).mutable_activity_task_canceled_event_attributes();
  if (details != nullptr) *attributes->mutable_details() = *details;
  attributes->set_latest_cancel_requested_event_id(activity.cancel_requested_event_id());
  attributes->set_scheduled_event_id(activity.scheduled_event_id());
  attributes->set_started_event_id(started);
  attributes->set_identity(identity);
  remove(step, activity.scheduled_event_id());
  schedule_workflow_task(step);
}

}  // namespace

CommandResult schedule_activity(Step& step, const temporal::api::command::v1::Command& command,
                                int64_t completed_event_id) {
  const auto& given = command.schedule_activity_task_command_attributes();
  const Limits& limits = step.context.limits;
  if (given.activity_id().empty()) return bad_activity("ActivityId is not set on ScheduleActivityTaskCommand.");
  if (given.activity_type().name().empty())
    return bad_activity("ActivityType is not set on ScheduleActivityTaskCommand.");
  if (given.activity_id().size() > limits.id_length || given.activity_type().name().size() > limits.id_length ||
      given.task_queue().name().size() > limits.id_length) {
    return bad_activity("ActivityId, ActivityType or TaskQueue exceeds the length limit.");
  }
  if (is_reserved_task_queue(given.task_queue().name()))
    return bad_activity("Names of task queues that begin with /_sys/ are reserved.");
  if (auto problem = check_retry_policy(given.retry_policy())) return bad_activity(*problem);
  if (step.state.activities().size() >= limits.pending_activities) {
    return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_PENDING_ACTIVITIES_LIMIT_EXCEEDED,
                        absl::StrCat("the number of pending activities, ", step.state.activities().size(),
                                     ", has reached the per-workflow limit of ", limits.pending_activities)};
  }
  for (const auto& [id, pending] : step.state.activities()) {
    if (pending.activity_id() == given.activity_id()) {
      return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_SCHEDULE_ACTIVITY_DUPLICATE_ID,
                          absl::StrCat("an activity with the id ", given.activity_id(), " is pending")};
    }
  }

  state::PendingActivity activity;
  activity.set_activity_id(given.activity_id());
  activity.set_activity_type(given.activity_type().name());
  activity.set_task_queue(given.task_queue().name().empty() ? step.state.task_queue() : given.task_queue().name());
  if (given.has_input()) *activity.mutable_input() = given.input();
  if (given.has_header()) *activity.mutable_header() = given.header();
  *activity.mutable_schedule_to_close() = given.schedule_to_close_timeout();
  *activity.mutable_schedule_to_start() = given.schedule_to_start_timeout();
  *activity.mutable_start_to_close() = given.start_to_close_timeout();
  *activity.mutable_heartbeat() = given.heartbeat_timeout();
  if (auto problem = settle_timeouts(step, activity)) return bad_activity(*problem);
  *activity.mutable_retry_policy() = filled_in(given.retry_policy());
  if (given.has_priority()) *activity.mutable_priority() = given.priority();
  if (command.has_user_metadata()) *activity.mutable_user_metadata() = command.user_metadata();
  activity.set_workflow_task_completed_event_id(completed_event_id);
  activity.set_attempt(1);

  auto& event = step.append(enums::EVENT_TYPE_ACTIVITY_TASK_SCHEDULED);
  if (command.has_user_metadata()) *event.mutable_user_metadata() = command.user_metadata();
  activity.set_scheduled_event_id(event.event_id());
  *activity.mutable_scheduled_time() = event.event_time();
  *activity.mutable_attempt_scheduled_time() = event.event_time();
  auto* attributes = event.mutable_activity_task_scheduled_event_attributes();
  attributes->set_activity_id(activity.activity_id());
  *attributes->mutable_activity_type() = given.activity_type();
  attributes->mutable_task_queue()->set_name(activity.task_queue());
  attributes->mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  if (given.has_header()) *attributes->mutable_header() = given.header();
  if (given.has_input()) *attributes->mutable_input() = given.input();
  *attributes->mutable_schedule_to_close_timeout() = activity.schedule_to_close();
  *attributes->mutable_schedule_to_start_timeout() = activity.schedule_to_start();
  *attributes->mutable_start_to_close_timeout() = activity.start_to_close();
  *attributes->mutable_heartbeat_timeout() = activity.heartbeat();
  attributes->set_workflow_task_completed_event_id(completed_event_id);
  *attributes->mutable_retry_policy() = activity.retry_policy();
  if (given.has_priority()) *attributes->mutable_priority() = given.priority();
  step.effects.dispatch_activities.push_back(activity.scheduled_event_id());
  (*step.state.mutable_activities())[activity.scheduled_event_id()] = std::move(activity);
  return std::nullopt;
}

CommandResult request_cancel_activity(Step& step, int64_t scheduled_event_id, int64_t completed_event_id) {
  const auto found = step.state.mutable_activities()->find(scheduled_event_id);
  if (scheduled_event_id <= 0 || scheduled_event_id >= step.state.next_event_id()) {
    return CommandError{enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES,
                        absl::StrCat("there is no activity with the scheduled event id ", scheduled_event_id)};
  }
  auto& event = step.append(enums::EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED);
  auto* attributes = event.mutable_activity_task_cancel_requested_event_attributes();
  attributes->set_scheduled_event_id(scheduled_event_id);
  attributes->set_workflow_task_completed_event_id(completed_event_id);
  // Its close may be on its way to history already.
  if (found == step.state.mutable_activities()->end()) return std::nullopt;
  state::PendingActivity& activity = found->second;
  activity.set_cancel_requested(true);
  activity.set_cancel_requested_event_id(event.event_id());
  if (!activity.has_started_time())
    append_canceled(step, state::PendingActivity(activity), nullptr, step.state.most_recent_worker_identity());
  return std::nullopt;
}

absl::Status start_activity(Step& step, const StartActivity& input, Output& output) {
  const auto found = step.state.mutable_activities()->find(input.scheduled_event_id);
  if (step.closed() || found == step.state.mutable_activities()->end()) return not_found("activity task not found");
  state::PendingActivity& activity = found->second;
  if (activity.attempt() != input.attempt || activity.has_started_time() ||
      to_time(activity.attempt_scheduled_time()) > step.event_time()) {
    return not_found("activity task not found");
  }
  set(activity.mutable_started_time(), step.event_time());
  activity.set_started_identity(input.identity);
  activity.set_started_request_id(input.request_id);
  activity.clear_last_heartbeat_time();
  step.changed = true;
  // Where attempts are limited, a start must not be forgotten.
  if (activity.retry_policy().maximum_attempts() > 0) {
    step.mark_durable();
  } else {
    activity.set_started_process(input.process);
  }

  state::TaskToken token;
  token.set_namespace_id(step.state.namespace_id());
  token.set_workflow_id(step.state.workflow_id());
  token.set_run_id(step.state.run_id());
  token.set_scheduled_event_id(activity.scheduled_event_id());
  token.set_attempt(activity.attempt());
  token.set_activity_id(activity.activity_id());
  *token.mutable_started_time() = activity.started_time();
  ActivityStarted started;
  wire::PollActivityTaskQueueResponse& response = started.response;
  response.set_task_token(encode(token));
  response.set_workflow_namespace(step.state.namespace_());
  response.mutable_workflow_type()->set_name(step.state.workflow_type());
  response.mutable_workflow_execution()->set_workflow_id(step.state.workflow_id());
  response.mutable_workflow_execution()->set_run_id(step.state.run_id());
  response.mutable_activity_type()->set_name(activity.activity_type());
  response.set_activity_id(activity.activity_id());
  if (activity.has_header()) *response.mutable_header() = activity.header();
  // For plugins, whose effects are held by a chain of runs; no field of a poll's answer tells it.
  auto& chain = (*response.mutable_header()->mutable_fields())["skald-first-run-id"];
  (*chain.mutable_metadata())["encoding"] = "binary/plain";
  chain.set_data(step.state.first_run_id());
  if (activity.has_input()) *response.mutable_input() = activity.input();
  if (activity.has_heartbeat_details()) *response.mutable_heartbeat_details() = activity.heartbeat_details();
  *response.mutable_scheduled_time() = activity.scheduled_time();
  *response.mutable_current_attempt_scheduled_time() = activity.attempt_scheduled_time();
  *response.mutable_started_time() = activity.started_time();
  response.set_attempt(activity.attempt());
  *response.mutable_schedule_to_close_timeout() = activity.schedule_to_close();
  *response.mutable_start_to_close_timeout() = activity.start_to_close();
  *response.mutable_heartbeat_timeout() = activity.heartbeat();
  *response.mutable_retry_policy() = activity.retry_policy();
  if (activity.has_priority()) *response.mutable_priority() = activity.priority();
  output = std::move(started);
  return absl::OkStatus();
}

state::PendingActivity* find_activity(Step& step, const state::TaskToken& token) {
  if (step.closed()) return nullptr;
  auto& activities = *step.state.mutable_activities();
  if (token.scheduled_event_id() != 0) {
    const auto found = activities.find(token.scheduled_event_id());
    // A start that a crash made us forget still counts for the worker that had it.
    return found != activities.end() && found->second.attempt() == token.attempt() ? &found->second : nullptr;
  }
  for (auto& [id, activity] : activities) {
    if (activity.activity_id() == token.activity_id()) return &activity;
  }
  return nullptr;
}

int64_t append_activity_started(Step& step, const state::PendingActivity& activity) {
  const absl::Time before =
      step.state.has_last_event_time() ? to_time(step.state.last_event_time()) : absl::InfinitePast();
  auto& event = step.arrive(enums::EVENT_TYPE_ACTIVITY_TASK_STARTED);
  // It is written when the attempt has ended, and tells when that began; but history's time never runs backwards.
  if (activity.has_started_time()) set(event.mutable_event_time(), std::max(before, to_time(activity.started_time())));
  auto* attributes = event.mutable_activity_task_started_event_attributes();
  attributes->set_scheduled_event_id(activity.scheduled_event_id());
  attributes->set_identity(activity.started_identity());
  attributes->set_request_id(activity.started_request_id());
  attributes->set_attempt(activity.attempt());
  if (activity.has_last_failure()) *attributes->mutable_last_failure() = activity.last_failure();
  return event.event_id();
}

namespace {

// Who answers with more than the limit allows would do so again: the workflow is told instead.
absl::Status fail_too_large(Step& step, const state::PendingActivity& activity, std::string_view message, const std::string& identity) {
  activity_failed(step, step.state.mutable_activities()->at(activity.scheduled_event_id()), too_large_failure(message), identity);
  return absl::OkStatus();
}

bool is_too_large(const Step& step, const std::optional<common::Payloads>& payloads) {
  return payloads && payloads->ByteSizeLong() > step.context.limits.blob_error_bytes;
}

}  // namespace

absl::Status complete_activity(Step& step, const CompleteActivity& input) {
  const state::PendingActivity* found = find_activity(step, input.token);
  if (found == nullptr)
    return not_found("invalid activityID or activity already timed out or invoking workflow is completed");
  if (is_too_large(step, input.result)) return fail_too_large(step, *found, "Complete result exceeds size limit.", input.identity);
  const int64_t scheduled = found->scheduled_event_id();
  const int64_t started = append_activity_started(step, *found);
  auto* attributes =
      step.arrive(enums::EVENT_TYPE_ACTIVITY_TASK_COMPLETED).mutable_activity_task_completed_event_attributes();
  if (input.result) *attributes->mutable_result() = *input.result;
  attributes->set_scheduled_event_id(scheduled);
  attributes->set_started_event_id(started);
  attributes->set_identity(input.identity);
  remove(step, scheduled);
  schedule_workflow_task(step);
  return absl::OkStatus();
}

absl::Status fail_activity(Step& step, const FailActivity& input) {
  state::PendingActivity* found = find_activity(step, input.token);
  if (found == nullptr)
    return not_found("invalid activityID or activity already timed out or invoking workflow is completed");
  if (input.heartbeat_details && !is_too_large(step, input.heartbeat_details))
    *found->mutable_heartbeat_details() = *input.heartbeat_details;
  activity_failed(step, *found, within_limits(input.failure, step.context.limits), input.identity);
  return absl::OkStatus();
}

absl::Status cancel_activity(Step& step, const CancelActivity& input) {
  const state::PendingActivity* found = find_activity(step, input.token);
  if (found == nullptr)
    return not_found("invalid activityID or activity already timed out or invoking workflow is completed");
  if (!found->cancel_requested())
    return absl::InvalidArgumentError(
        "unable to mark activity as canceled without activity being request canceled first");
  if (is_too_large(step, input.details)) return fail_too_large(step, *found, "Cancel details exceed size limit.", input.identity);
  append_canceled(step, state::PendingActivity(*found), input.details ? &*input.details : nullptr, input.identity);
  return absl::OkStatus();
}

absl::Status heartbeat_activity(Step& step, const HeartbeatActivity& input, Output& output) {
  state::PendingActivity* found = find_activity(step, input.token);
  if (found == nullptr)
    return not_found("invalid activityID or activity already timed out or invoking workflow is completed");
  if (is_too_large(step, input.details)) {
    output = ActivityHeartbeatRecorded{.cancel_requested = true};
    return fail_too_large(step, *found, "Heartbeat details exceed size limit.", input.identity);
  }
  if (input.details) *found->mutable_heartbeat_details() = *input.details;
  set(found->mutable_last_heartbeat_time(), step.event_time());
  step.changed = true;
  output = ActivityHeartbeatRecorded{found->cancel_requested()};
  return absl::OkStatus();
}

}  // namespace skald::core
