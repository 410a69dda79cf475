#include "plugins/host/in_process.h"

#include <mutex>
#include <unordered_map>
#include <utility>

#include <spdlog/spdlog.h>

#include "plugins/host/call.h"
#include "plugins/host/library.h"
#include "plugins/host/plugin_log.h"
#include "plugins/sdk/exception_text.h"
#include "plugins/sdk/text.h"

namespace skald::plugins {
namespace {

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

// Answers a handle once; a second answer is the plugin's mistake.
template <typename Answer>
void finish(skald_call* handle, Answer answer) {
  const std::shared_ptr<Call> call = handles().take(handle);
  if (call == nullptr)
    return spdlog::error("a plugin answered an attempt that it does not hold: the answer is ignored");
  answer(*call);
  call->give_back();
}

const skald_host& host_functions() {
  static const skald_host host = {
      SKALD_PLUGIN_ABI,
      [](skald_call* handle, skald_text result) {
        finish(handle, [&](Call& call) { call.complete(plugin::copied(result)); });
      },
      [](skald_call* handle, const skald_failure* f) {
        finish(handle, [&](Call& call) {
          call.fail({plugin::copied(f->type), plugin::copied(f->message), plugin::copied(f->details),
                     f->non_retryable != 0, f->next_retry_delay_ms});
        });
      },
      [](skald_call* handle) { finish(handle, [](Call& call) { call.stopped(); }); },
      [](skald_call* handle, skald_text details) {
        if (const auto call = handles().find(handle)) call->heartbeat(plugin::copied(details));
      },
      [](skald_call* handle) {
        const auto call = handles().find(handle);
        return call == nullptr || call->cancel_requested() ? 1 : 0;
      },
      [](int level, skald_text text) { log_of_plugin(level, plugin::copied(text)); },
  };
  return host;
}

}  // namespace

absl::Status InProcess::start(Setup setup) {
  auto status = initialize(plugin_, host_functions(), setup.config, setup.data_path);
  if (status.ok()) setup.on_serving(true);
  return status;
}

bool InProcess::execute(const std::shared_ptr<Call>& call) {
  const CallTask& from = call->task;
  const skald_task task = {plugin::lent(from.activity),
                           plugin::lent(from.input),
                           plugin::lent(from.key),
                           plugin::lent(from.namespace_name),
                           plugin::lent(from.workflow_id),
                           plugin::lent(from.workflow_type),
                           plugin::lent(from.run_id),
                           plugin::lent(from.activity_id),
                           plugin::lent(from.heartbeat_details),
                           from.attempt,
                           absl::ToUnixMillis(call->deadline()),
                           plugin::lent(from.chain),
                           from.scheduled_unix_ns};
  skald_call* const handle = handles().add(call);
  try {
    plugin_.execute(&task, handle);
  } catch (...) {
    const auto [thrown, message] = plugin::current_exception_text();
    finish(handle, [&thrown = thrown, &message = message](Call& call) { call.fail({thrown, message, ""}); });
  }
  return true;
}

void InProcess::stop(absl::Time) { plugin_.shutdown(); }

}  // namespace skald::plugins
