#include "plugins/sdk/context.h"

#include <algorithm>

#include "plugins/sdk/text.h"

namespace skald::plugin {

Context::Context(const skald_host* host, const skald_task& task, skald_call* call, Executor* executor)
    : activity(copied(task.activity)),
      idempotency_key(copied(task.idempotency_key)),
      namespace_name(copied(task.namespace_name)),
      workflow_id(copied(task.workflow_id)),
      workflow_type(copied(task.workflow_type)),
      run_id(copied(task.run_id)),
      activity_id(copied(task.activity_id)),
      attempt(task.attempt),
      deadline_unix_ms(task.deadline_unix_ms),
      chain(copied(task.chain)),
      scheduled_unix_ns(task.scheduled_unix_ns),
      host_(host),
      call_(call),
      executor_(executor),
      heartbeat_details_(copied(task.heartbeat_details_json)) {}

json Context::last_heartbeat() const { return heartbeat_details_.empty() ? json() : json::parse(heartbeat_details_); }

void Context::heartbeat(const json& details) {
  const std::string text = details.dump();
  host_->heartbeat(call_, lent(text));
}

void Context::fail(const ActivityFailure& failure) {
  if (failure.cancelled) return host_->cancelled(call_);
  skald_failure out{};
  out.type = lent(failure.type);
  out.message = lent(failure.message);
  out.details = lent(failure.details);
  out.non_retryable = failure.non_retryable ? 1 : 0;
  out.next_retry_delay_ms = failure.next_retry_delay_ms;
  host_->fail(call_, &out);
}

std::chrono::milliseconds Context::remaining() const {
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  return std::max(std::chrono::milliseconds(deadline_unix_ms) - now, std::chrono::milliseconds(0));
}

}  // namespace skald::plugin
