#include "plugins/host/call.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "plugins/host/secrets.h"

namespace skald::plugins {
namespace {

using temporal::api::common::v1::Payloads;
using temporal::api::failure::v1::Failure;

constexpr size_t kLongestMessage = 16 << 10;
constexpr size_t kLongestType = 1 << 10;
constexpr absl::Duration kLongestHeartbeatInterval = absl::Seconds(5);
constexpr absl::Duration kFreeHeartbeatInterval = absl::Seconds(1);  // where no timeout says how often

absl::Duration duration(const google::protobuf::Duration& length) {
  return absl::Seconds(length.seconds()) + absl::Nanoseconds(length.nanos());
}

absl::Time time(const google::protobuf::Timestamp& at) {
  return absl::FromUnixSeconds(at.seconds()) + absl::Nanoseconds(at.nanos());
}

// When this attempt's answer is of no use any more.
absl::Time deadline_of(const worker::wire::PollActivityTaskQueueResponse& task) {
  const absl::Time now = absl::Now();
  absl::Time deadline = now + absl::Hours(24 * 365);
  const auto limit = [&](bool known, const google::protobuf::Timestamp& from,
                         const google::protobuf::Duration& length) {
    if (duration(length) > absl::ZeroDuration())
      deadline = std::min(deadline, (known ? time(from) : now) + duration(length));
  };
  limit(task.has_started_time(), task.started_time(), task.start_to_close_timeout());
  limit(task.has_scheduled_time(), task.scheduled_time(), task.schedule_to_close_timeout());
  return deadline;
}

std::string first(const Payloads& from) { return from.payloads_size() == 0 ? std::string() : from.payloads(0).data(); }

Failure timeout_failure() {
  Failure out;
  out.set_message("activity StartToClose timeout");
  out.set_source("skald-plugins");
  out.mutable_timeout_failure_info()->set_timeout_type(temporal::api::enums::v1::TIMEOUT_TYPE_START_TO_CLOSE);
  return out;
}

// Plugins may say anything, and the API takes valid UTF-8 only.
std::string as_text(const std::string& bytes, size_t most) {
  using nlohmann::json;
  const std::string quoted = json(bytes.substr(0, most)).dump(-1, ' ', false, json::error_handler_t::replace);
  return json::parse(quoted).get<std::string>();
}

Failure too_long_failure(const std::string& type, absl::Duration limit) {
  return application_failure(
      "ActivityTooLong",
      absl::StrCat(type, " ran longer than limits.max_activity_seconds = ", absl::ToDoubleSeconds(limit)), false);
}

// The engine tells it in a header; others do not.
std::string chain_of(const worker::wire::PollActivityTaskQueueResponse& task) {
  const auto found = task.header().fields().find("skald-first-run-id");
  return found == task.header().fields().end() ? std::string() : found->second.data();
}

CallTask task_of(const worker::wire::PollActivityTaskQueueResponse& task, std::string activity) {
  return {std::move(activity),
          first(task.input()),
          absl::StrCat(task.workflow_execution().run_id(), "/", task.activity_id()),
          task.workflow_namespace(),
          task.workflow_execution().workflow_id(),
          task.workflow_type().name(),
          task.workflow_execution().run_id(),
          task.activity_id(),
          first(task.heartbeat_details()),
          std::max(task.attempt(), 1),
          chain_of(task),
          task.scheduled_time().seconds() * 1000000000 + task.scheduled_time().nanos()};
}

}  // namespace

Payloads json_payloads(std::string json) {
  Payloads out;
  if (json.empty()) return out;
  auto* payload = out.add_payloads();
  (*payload->mutable_metadata())["encoding"] = "json/plain";
  payload->set_data(std::move(json));
  return out;
}

Failure application_failure(const std::string& type, const std::string& message, bool non_retryable) {
  Failure out;
  out.set_message(as_text(blank_secrets(message), kLongestMessage));
  out.set_source("skald-plugins");
  out.mutable_application_failure_info()->set_type(type.empty() ? "PluginError"
                                                                : as_text(blank_secrets(type), kLongestType));
  out.mutable_application_failure_info()->set_non_retryable(non_retryable);
  return out;
}

Call::Call(const worker::wire::PollActivityTaskQueueResponse& task, std::string activity,
           std::shared_ptr<Alarms> alarms, Callbacks callbacks)
    : type(task.activity_type().name()),
      task(task_of(task, std::move(activity))),
      task_deadline_(deadline_of(task)),
      heartbeat_interval_(task.has_heartbeat_timeout() && duration(task.heartbeat_timeout()) > absl::ZeroDuration()
                              ? std::min(duration(task.heartbeat_timeout()) / 2, kLongestHeartbeatInterval)
                              : kFreeHeartbeatInterval),
      alarms_(std::move(alarms)),
      callbacks_(std::move(callbacks)) {}

void Call::watch_deadline() {
  std::lock_guard lock(mutex_);
  set_alarm(task_deadline_);
}

void Call::set_alarm(absl::Time deadline) {
  if (deadline_alarm_) alarms_->clear(*deadline_alarm_);
  deadline_ = deadline;
  deadline_alarm_ = alarms_->set(deadline, [self = shared_from_this()] { self->expire(); });
}

absl::Time Call::deadline() const {
  std::lock_guard lock(mutex_);
  return deadline_;
}

void Call::enter(std::shared_ptr<CallHolder> holder) {
  std::lock_guard lock(mutex_);
  holder_ = std::move(holder);
}

std::shared_ptr<CallHolder> Call::holder() const {
  std::lock_guard lock(mutex_);
  return holder_;
}

bool Call::begin(const PluginLimits& limits) {
  std::lock_guard lock(mutex_);
  if (answered_) return false;
  begun_ = true;
  limits_ = limits;
  if (const absl::Time end = absl::Now() + limits.max_activity_time; end < deadline_) set_alarm(end);
  return true;
}

void Call::put_back() {
  std::lock_guard lock(mutex_);
  begun_ = false;
  if (!answered_ && deadline_ != task_deadline_) set_alarm(task_deadline_);
}

void Call::answer(worker::ActivityOutcome outcome, Ending ending) {
  std::unique_lock lock(mutex_);
  if (answered_.exchange(true)) return;
  if (deadline_alarm_) alarms_->clear(*deadline_alarm_);
  if (heartbeat_alarm_) alarms_->clear(*heartbeat_alarm_);
  const auto holder = holder_;
  // The next attempt is to know how far this one came.
  if (ending == Ending::kFailed && pending_details_) {
    send_heartbeat(lock);
  } else {
    lock.unlock();
  }
  if (holder != nullptr) holder->answered(*this, ending == Ending::kTimedOut);
  callbacks_.counted(*this, ending);
  callbacks_.done(std::move(outcome));
}

void Call::request_cancel(const char* reason) {
  cancel_reason_ = reason;
  cancel_requested_ = true;
  std::function<void()> tell;
  {
    std::lock_guard lock(mutex_);
    tell.swap(tell_cancel_);
  }
  if (tell) tell();
}

void Call::on_cancel(std::function<void()> tell) {
  {
    std::lock_guard lock(mutex_);
    tell_cancel_ = std::move(tell);
  }
  if (cancel_requested_) request_cancel(cancel_reason_);
}

void Call::expire() {
  absl::Time deadline;
  absl::Duration longest;
  {
    std::lock_guard lock(mutex_);
    deadline = deadline_;
    longest = limits_.max_activity_time;
  }
  request_cancel();
  if (begun_) {
    return answer(deadline == task_deadline_ ? timeout_failure() : too_long_failure(type, longest), Ending::kTimedOut);
  }
  const auto waits_in = holder();
  answer(
      application_failure(
          "PluginBusy",
          absl::StrCat(type, " was not begun before its timeout: ", waits_in == nullptr ? "" : waits_in->why_waiting()),
          false),
      Ending::kTimedOut);
}

void Call::complete(std::string result) {
  result = blank_secrets_in_json(std::move(result));
  if (static_cast<int64_t>(result.size()) > limits_.max_output_bytes) return refuse_output(result.size());
  if (!result.empty() && !nlohmann::json::accept(result)) {
    return answer(application_failure("InvalidResult", absl::StrCat("the result of ", type, " is not JSON"), true),
                  Ending::kFailed);
  }
  answer(json_payloads(std::move(result)), Ending::kCompleted);
}

void Call::refuse_output(size_t size) {
  answer(
      application_failure(
          "OutputTooLarge",
          absl::StrCat("the result of ", type, " has ", size, " bytes, the limit is ", limits_.max_output_bytes), true),
      Ending::kFailed);
}

void Call::fail(CallFailure failure) {
  Failure out = application_failure(failure.type, failure.message, failure.non_retryable);
  auto* info = out.mutable_application_failure_info();
  if (!failure.details.empty())
    *info->mutable_details() = json_payloads(blank_secrets_in_json(std::move(failure.details)));
  if (failure.next_retry_delay_ms > 0) {
    info->mutable_next_retry_delay()->set_seconds(failure.next_retry_delay_ms / 1000);
    info->mutable_next_retry_delay()->set_nanos(static_cast<int32_t>(failure.next_retry_delay_ms % 1000 * 1000000));
  }
  answer(std::move(out), Ending::kFailed);
}

void Call::stopped() {
  if (server_cancelled_) return answer(worker::ActivityCancelled{}, Ending::kCancelled);
  if (!cancel_requested_) {
    return answer(application_failure("NotCancelled",
                                      absl::StrCat(type, " says that it was cancelled, which nobody asked for"), false),
                  Ending::kFailed);
  }
  const std::string_view reason = cancel_reason_.load();
  answer(application_failure(std::string(reason),
                             absl::StrCat(type, reason == kPluginReloading ? " was stopped, as its plugin is reloaded"
                                                                           : " was stopped with its host"),
                             false),
         Ending::kFailed);
}

void Call::heartbeat(std::string details) {
  if (answered_) return;
  std::unique_lock lock(mutex_);
  pending_details_ = json_payloads(blank_secrets_in_json(std::move(details)));
  if (heartbeat_alarm_) return;  // it will be sent then
  const absl::Time due = last_heartbeat_ + heartbeat_interval_;
  if (due <= absl::Now()) return send_heartbeat(lock);
  heartbeat_alarm_ = alarms_->set(due, [self = shared_from_this()] {
    std::unique_lock lock(self->mutex_);
    self->heartbeat_alarm_.reset();
    if (!self->answered_ && self->pending_details_) self->send_heartbeat(lock);
  });
}

void Call::send_heartbeat(std::unique_lock<std::mutex>& lock) {
  Payloads details = *std::move(pending_details_);
  pending_details_.reset();
  last_heartbeat_ = absl::Now();
  lock.unlock();
  callbacks_.heartbeat(std::move(details), [self = shared_from_this()] {
    self->server_cancelled_ = true;
    self->request_cancel();
  });
}

void Call::give_back() {
  if (const auto from = holder()) from->returned(*this);
}

}  // namespace skald::plugins
