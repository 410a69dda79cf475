#include "plugins/host/call.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "plugins/host/secrets.h"
#include "plugins/sdk/exception_text.h"

namespace skald::plugins {
namespace {

using temporal::api::common::v1::Payloads;
using temporal::api::failure::v1::Failure;

constexpr size_t kLongestMessage = 16 << 10;
constexpr absl::Duration kLongestHeartbeatInterval = absl::Seconds(5);
constexpr absl::Duration kFreeHeartbeatInterval = absl::Seconds(1);  // where no timeout says how often

std::string copy(skald_text text) { return {text.data == nullptr ? "" : text.data, text.size}; }
skald_text view(const std::string& text) { return {text.data(), text.size()}; }

absl::Duration duration(const google::protobuf::Duration& length) {
  return absl::Seconds(length.seconds()) + absl::Nanoseconds(length.nanos());
}

absl::Time time(const google::protobuf::Timestamp& at) {
  return absl::FromUnixSeconds(at.seconds()) + absl::Nanoseconds(at.nanos());
}

// When this attempt's answer is of no use any more.
absl::Time deadline_of(const worker::api::PollActivityTaskQueueResponse& task) {
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

// The attempts that plugins hold, of all hosts: plugins know them by number, so that a number that is no longer good
// can be told from one that is. Lives as long as the process, for threads of plugins that never end.
class Handles {
 public:
  skald_call* add(std::shared_ptr<Call> call) {
    std::lock_guard lock(mutex_);
    calls_.emplace(++last_, std::move(call));
    return reinterpret_cast<skald_call*>(last_);
  }
  std::shared_ptr<Call> find(skald_call* handle) {
    std::lock_guard lock(mutex_);
    const auto found = calls_.find(reinterpret_cast<uintptr_t>(handle));
    return found == calls_.end() ? nullptr : found->second;
  }
  std::shared_ptr<Call> take(skald_call* handle) {
    std::lock_guard lock(mutex_);
    auto node = calls_.extract(reinterpret_cast<uintptr_t>(handle));
    return node.empty() ? nullptr : std::move(node.mapped());
  }

 private:
  std::mutex mutex_;
  uintptr_t last_ = 0;
  std::unordered_map<uintptr_t, std::shared_ptr<Call>> calls_;
};

Handles& handles() {
  static auto* const all = new Handles;
  return *all;
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
  out.set_message(blank_secrets(message).substr(0, kLongestMessage));
  out.set_source("skald-plugins");
  out.mutable_application_failure_info()->set_type(type.empty() ? "PluginError" : blank_secrets(type));
  out.mutable_application_failure_info()->set_non_retryable(non_retryable);
  return out;
}

struct HostFunctions {
  // Answers a handle once; a second answer is the plugin's mistake.
  template <typename Answer>
  static void finish(skald_call* handle, Answer answer) {
    const std::shared_ptr<Call> call = handles().take(handle);
    if (call == nullptr)
      return spdlog::error("a plugin answered an attempt that it does not hold: the answer is ignored");
    answer(*call);
    call->callbacks_.returned(*call);
  }

  static void complete(skald_call* handle, skald_text result) {
    finish(handle, [&](Call& call) { call.complete(blank_secrets_in_json(copy(result))); });
  }

  static void fail(skald_call* handle, const skald_failure* f) {
    finish(handle, [&](Call& call) {
      Failure out = application_failure(copy(f->type), copy(f->message), f->non_retryable != 0);
      auto* info = out.mutable_application_failure_info();
      if (f->details.size > 0) *info->mutable_details() = json_payloads(blank_secrets_in_json(copy(f->details)));
      if (f->next_retry_delay_ms > 0) {
        info->mutable_next_retry_delay()->set_seconds(f->next_retry_delay_ms / 1000);
        info->mutable_next_retry_delay()->set_nanos(static_cast<int32_t>(f->next_retry_delay_ms % 1000 * 1000000));
      }
      call.answer(std::move(out), Ending::kFailed);
    });
  }

  static void cancelled(skald_call* handle) {
    finish(handle, [](Call& call) { call.stopped(); });
  }

  static void heartbeat(skald_call* handle, skald_text details) {
    if (const auto call = handles().find(handle)) call->heartbeat(json_payloads(blank_secrets_in_json(copy(details))));
  }

  static int cancel_requested(skald_call* handle) {
    const auto call = handles().find(handle);
    return call == nullptr || call->cancel_requested_ ? 1 : 0;
  }

  static void log(int level, skald_text text) {
    const auto severity = level <= 0   ? spdlog::level::debug
                          : level == 1 ? spdlog::level::info
                          : level == 2 ? spdlog::level::warn
                                       : spdlog::level::err;
    spdlog::log(severity, "{}", blank_secrets(copy(text)));
  }
};

const skald_host* Call::host_functions() {
  static const skald_host host = {
      SKALD_PLUGIN_ABI,          &HostFunctions::complete,         &HostFunctions::fail, &HostFunctions::cancelled,
      &HostFunctions::heartbeat, &HostFunctions::cancel_requested, &HostFunctions::log};
  return &host;
}

Call::Call(const worker::api::PollActivityTaskQueueResponse& task, std::string activity, const PluginLimits& limits,
           std::shared_ptr<Alarms> alarms, Callbacks callbacks)
    : type(task.activity_type().name()),
      activity_(std::move(activity)),
      input_(first(task.input())),
      key_(absl::StrCat(task.workflow_execution().run_id(), "/", task.activity_id())),
      namespace_(task.workflow_namespace()),
      workflow_id_(task.workflow_execution().workflow_id()),
      workflow_type_(task.workflow_type().name()),
      run_id_(task.workflow_execution().run_id()),
      activity_id_(task.activity_id()),
      details_(first(task.heartbeat_details())),
      attempt_(std::max(task.attempt(), 1)),
      deadline_(deadline_of(task)),
      heartbeat_interval_(task.has_heartbeat_timeout() && duration(task.heartbeat_timeout()) > absl::ZeroDuration()
                              ? std::min(duration(task.heartbeat_timeout()) / 2, kLongestHeartbeatInterval)
                              : kFreeHeartbeatInterval),
      limits_(limits),
      alarms_(std::move(alarms)),
      callbacks_(std::move(callbacks)) {}

void Call::watch_deadline() {
  std::lock_guard lock(mutex_);
  deadline_alarm_ = alarms_->set(deadline_, [self = shared_from_this()] { self->expire(); });
}

bool Call::begin(const skald_plugin& plugin) {
  if (answered_) return false;
  begun_ = true;
  const skald_task task = {view(activity_),
                           view(input_),
                           view(key_),
                           view(namespace_),
                           view(workflow_id_),
                           view(workflow_type_),
                           view(run_id_),
                           view(activity_id_),
                           view(details_),
                           attempt_,
                           absl::ToUnixMillis(deadline_)};
  skald_call* const handle = handles().add(shared_from_this());
  try {
    plugin.execute(&task, handle);
  } catch (...) {
    const auto [thrown, message] = plugin::current_exception_text();
    HostFunctions::finish(handle, [&thrown = thrown, &message = message](Call& call) {
      call.answer(application_failure(thrown, message, false), Ending::kFailed);
    });
  }
  return true;
}

void Call::answer(worker::ActivityOutcome outcome, Ending ending) {
  if (answered_.exchange(true)) return;
  {
    std::unique_lock lock(mutex_);
    if (deadline_alarm_) alarms_->clear(*deadline_alarm_);
    if (heartbeat_alarm_) alarms_->clear(*heartbeat_alarm_);
    // The next attempt is to know how far this one came.
    if (ending == Ending::kFailed && pending_details_) send_heartbeat(lock);
  }
  callbacks_.answered(*this, ending);
  callbacks_.done(std::move(outcome));
}

void Call::expire() {
  cancel_requested_ = true;
  if (begun_) return answer(timeout_failure(), Ending::kTimedOut);
  answer(application_failure(
             "PluginBusy",
             absl::StrCat(type, " was not begun before its timeout: the plugin holds max_concurrent_activities = ",
                          limits_.max_concurrent_activities,
                          " already, or max_activities_per_second holds it back (\"limits\" in its configuration)"),
             false),
         Ending::kTimedOut);
}

void Call::complete(std::string result) {
  if (static_cast<int64_t>(result.size()) > limits_.max_output_bytes) {
    return answer(application_failure("OutputTooLarge",
                                      absl::StrCat("the result of ", type, " has ", result.size(),
                                                   " bytes, the limit is ", limits_.max_output_bytes),
                                      true),
                  Ending::kFailed);
  }
  if (!result.empty() && !nlohmann::json::accept(result)) {
    return answer(application_failure("InvalidResult", absl::StrCat("the result of ", type, " is not JSON"), true),
                  Ending::kFailed);
  }
  answer(json_payloads(std::move(result)), Ending::kCompleted);
}

// The plugin says that it stopped because it was asked to.
void Call::stopped() {
  if (server_cancelled_) return answer(worker::ActivityCancelled{}, Ending::kCancelled);
  const bool asked = cancel_requested_;
  answer(application_failure(asked ? "HostStopping" : "NotCancelled",
                             absl::StrCat(type, asked ? " was stopped with its host"
                                                      : " says that it was cancelled, which nobody asked for"),
                             false),
         Ending::kFailed);
}

void Call::heartbeat(Payloads details) {
  if (answered_) return;
  std::unique_lock lock(mutex_);
  pending_details_ = std::move(details);
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
    self->cancel_requested_ = true;
  });
}

}  // namespace skald::plugins
