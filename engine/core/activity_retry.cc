#include <algorithm>
#include <cmath>

#include "engine/core/step.h"

namespace skald::core {
namespace {

constexpr absl::Duration kDefaultInitialInterval = absl::Seconds(1);
constexpr double kDefaultCoefficient = 2.0;
constexpr int kDefaultMaximumFactor = 100;

failure::Failure timeout_failure(enums::TimeoutType type, const state::PendingActivity& activity) {
  failure::Failure result;
  result.set_message("activity " + enums::TimeoutType_Name(type).substr(sizeof("TIMEOUT_TYPE_") - 1) + " timeout");
  std::transform(result.mutable_message()->begin(), result.mutable_message()->end(), result.mutable_message()->begin(),
                 [](char letter) { return letter == '_' ? ' ' : letter; });
  result.set_source("Server");
  result.mutable_timeout_failure_info()->set_timeout_type(type);
  if (activity.has_heartbeat_details())
    *result.mutable_timeout_failure_info()->mutable_last_heartbeat_details() = activity.heartbeat_details();
  return result;
}

absl::Time expiration(const state::PendingActivity& activity) {
  const absl::Duration to_close = to_duration(activity.schedule_to_close());
  return to_close > absl::ZeroDuration() ? to_time(activity.scheduled_time()) + to_close : absl::InfiniteFuture();
}

void try_again(Step& step, state::PendingActivity& activity, const failure::Failure& cause, absl::Duration backoff) {
  const absl::Time now = step.event_time();
  *activity.mutable_last_failure() = cut_to(cause, step.context.limits.activity_failure_bytes);
  activity.set_last_worker_identity(activity.started_identity());
  activity.set_attempt(activity.attempt() + 1);
  set(activity.mutable_last_attempt_complete_time(), now);
  set(activity.mutable_attempt_scheduled_time(), now + backoff);
  activity.clear_started_time();
  activity.clear_started_identity();
  activity.clear_started_request_id();
  activity.clear_started_process();
  activity.set_retry_dispatched(backoff <= absl::ZeroDuration());
  activity.clear_last_heartbeat_time();
  step.mark_durable();
  if (backoff <= absl::ZeroDuration()) step.effects.dispatch_activities.push_back(activity.scheduled_event_id());
}

void append_timed_out(Step& step, const state::PendingActivity& activity, failure::Failure cause,
                      enums::RetryState state) {
  int64_t started = 0;
  if (activity.has_started_time()) started = append_activity_started(step, activity);
  auto* attributes =
      step.arrive(enums::EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT).mutable_activity_task_timed_out_event_attributes();
  *attributes->mutable_failure() = std::move(cause);
  attributes->set_scheduled_event_id(activity.scheduled_event_id());
  attributes->set_started_event_id(started);
  attributes->set_retry_state(state);
  step.state.mutable_activities()->erase(activity.scheduled_event_id());
  schedule_workflow_task(step);
}

}  // namespace

common::RetryPolicy filled_in(const common::RetryPolicy& given) {
  common::RetryPolicy policy = given;
  if (to_duration(policy.initial_interval()) <= absl::ZeroDuration())
    set(policy.mutable_initial_interval(), kDefaultInitialInterval);
  if (policy.backoff_coefficient() == 0) policy.set_backoff_coefficient(kDefaultCoefficient);
  if (to_duration(policy.maximum_interval()) <= absl::ZeroDuration()) {
    set(policy.mutable_maximum_interval(), kDefaultMaximumFactor * to_duration(policy.initial_interval()));
  }
  return policy;
}

RetryDecision decide_retry(const common::RetryPolicy& policy, int32_t attempt, const failure::Failure& cause,
                           absl::Time now, absl::Time expiration_time) {
  if (cause.has_canceled_failure_info() || cause.has_terminated_failure_info())
    return {enums::RETRY_STATE_NON_RETRYABLE_FAILURE, {}};
  if (cause.has_server_failure_info() && cause.server_failure_info().non_retryable())
    return {enums::RETRY_STATE_NON_RETRYABLE_FAILURE, {}};
  std::optional<absl::Duration> wished;
  if (cause.has_application_failure_info()) {
    const auto& info = cause.application_failure_info();
    const auto& types = policy.non_retryable_error_types();
    if (info.non_retryable() || std::find(types.begin(), types.end(), info.type()) != types.end()) {
      return {enums::RETRY_STATE_NON_RETRYABLE_FAILURE, {}};
    }
    if (info.has_next_retry_delay()) wished = to_duration(info.next_retry_delay());
  }
  if (cause.has_timeout_failure_info()) {
    const auto type = cause.timeout_failure_info().timeout_type();
    if (type != enums::TIMEOUT_TYPE_START_TO_CLOSE && type != enums::TIMEOUT_TYPE_HEARTBEAT)
      return {enums::RETRY_STATE_NON_RETRYABLE_FAILURE, {}};
  }
  if (policy.maximum_attempts() > 0 && attempt >= policy.maximum_attempts())
    return {enums::RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED, {}};
  const double factor = std::pow(policy.backoff_coefficient(), std::min(attempt - 1, 1000));
  absl::Duration backoff = to_duration(policy.initial_interval()) * factor;
  backoff = std::min(backoff, to_duration(policy.maximum_interval()));
  if (wished) backoff = std::max(*wished, absl::ZeroDuration());
  if (now + backoff >= expiration_time) return {enums::RETRY_STATE_TIMEOUT, {}};
  return {enums::RETRY_STATE_IN_PROGRESS, backoff};
}

void activity_failed(Step& step, state::PendingActivity& activity, const failure::Failure& cause,
                     const std::string& identity) {
  RetryDecision decision =
      decide_retry(activity.retry_policy(), activity.attempt(), cause, step.event_time(), expiration(activity));
  if (activity.cancel_requested() && decision.state == enums::RETRY_STATE_IN_PROGRESS)
    decision.state = enums::RETRY_STATE_CANCEL_REQUESTED;
  if (decision.state == enums::RETRY_STATE_IN_PROGRESS) return try_again(step, activity, cause, decision.backoff);
  if (decision.state == enums::RETRY_STATE_TIMEOUT) {
    failure::Failure timeout = timeout_failure(enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, activity);
    *timeout.mutable_cause() = cause;
    return append_timed_out(step, state::PendingActivity(activity), std::move(timeout), decision.state);
  }
  const int64_t scheduled = activity.scheduled_event_id();
  const int64_t started = append_activity_started(step, activity);
  auto* attributes = step.arrive(enums::EVENT_TYPE_ACTIVITY_TASK_FAILED).mutable_activity_task_failed_event_attributes();
  *attributes->mutable_failure() = cause;
  attributes->set_scheduled_event_id(scheduled);
  attributes->set_started_event_id(started);
  attributes->set_identity(identity);
  attributes->set_retry_state(decision.state);
  step.state.mutable_activities()->erase(scheduled);
  schedule_workflow_task(step);
}

void activity_timed_out(Step& step, state::PendingActivity& activity, enums::TimeoutType type) {
  failure::Failure timeout = timeout_failure(type, activity);
  RetryDecision decision =
      decide_retry(activity.retry_policy(), activity.attempt(), timeout, step.event_time(), expiration(activity));
  if (activity.cancel_requested() && decision.state == enums::RETRY_STATE_IN_PROGRESS)
    decision.state = enums::RETRY_STATE_CANCEL_REQUESTED;
  if (decision.state == enums::RETRY_STATE_IN_PROGRESS) return try_again(step, activity, timeout, decision.backoff);
  if (decision.state == enums::RETRY_STATE_TIMEOUT) {
    failure::Failure last = std::move(timeout);
    timeout = timeout_failure(enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, activity);
    *timeout.mutable_cause() = std::move(last);
  } else if (activity.has_last_failure()) {
    *timeout.mutable_cause() = activity.last_failure();
  }
  const bool final_timeout =
      type == enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE || type == enums::TIMEOUT_TYPE_SCHEDULE_TO_START;
  append_timed_out(step, state::PendingActivity(activity), std::move(timeout),
                   final_timeout ? enums::RETRY_STATE_TIMEOUT : decision.state);
}

void forget_activity_starts(Step& step, uint64_t process) {
  for (const int64_t id : sorted_keys(step.state.activities())) {
    state::PendingActivity& activity = step.state.mutable_activities()->at(id);
    if (!activity.has_started_time() || activity.started_process() == 0 || activity.started_process() == process)
      continue;
    activity.clear_started_time();
    activity.clear_started_identity();
    activity.clear_started_request_id();
    activity.clear_started_process();
    activity.clear_last_heartbeat_time();
    // It was not late to begin: the time until it begins again counts from here.
    set(activity.mutable_attempt_scheduled_time(), step.event_time());
    activity.set_retry_dispatched(true);
    step.changed = true;
    step.effects.dispatch_activities.push_back(id);
  }
}

ActivityTimeout next_timeout(const state::PendingActivity& activity) {
  ActivityTimeout next;
  const auto consider = [&next](enums::TimeoutType type, absl::Time from, const google::protobuf::Duration& length) {
    const absl::Duration duration = to_duration(length);
    if (duration > absl::ZeroDuration() && from + duration < next.at) next = {type, from + duration};
  };
  // Of timeouts that end together the first one here is the reason.
  if (activity.has_started_time()) {
    consider(enums::TIMEOUT_TYPE_START_TO_CLOSE, to_time(activity.started_time()), activity.start_to_close());
  } else {
    consider(enums::TIMEOUT_TYPE_SCHEDULE_TO_START, to_time(activity.attempt_scheduled_time()), activity.schedule_to_start());
  }
  consider(enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, to_time(activity.scheduled_time()), activity.schedule_to_close());
  if (activity.has_started_time()) {
    const auto& alive = activity.has_last_heartbeat_time() ? activity.last_heartbeat_time() : activity.started_time();
    consider(enums::TIMEOUT_TYPE_HEARTBEAT, to_time(alive), activity.heartbeat());
  }
  return next;
}

void tick_activities(Step& step) {
  const absl::Time now = step.event_time();
  for (const int64_t id : sorted_keys(step.state.activities())) {
    state::PendingActivity& activity = step.state.mutable_activities()->at(id);
    const ActivityTimeout timeout = next_timeout(activity);
    if (timeout.at <= now) {
      activity_timed_out(step, activity, timeout.type);
    } else if (waits_for_retry(activity) && to_time(activity.attempt_scheduled_time()) <= now) {
      // Its retry is due: handed out once; a restart hands it out again.
      activity.set_retry_dispatched(true);
      step.changed = true;
      step.effects.dispatch_activities.push_back(id);
    }
  }
}

bool waits_for_retry(const state::PendingActivity& activity) {
  return !activity.has_started_time() && activity.attempt() > 1 && !activity.retry_dispatched();
}

}  // namespace skald::core
