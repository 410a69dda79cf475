#include "plugins/host/plugin_host.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/time/clock.h>
#include <dlfcn.h>
#include <spdlog/spdlog.h>

#include "engine/base/text.h"
#include "plugins/sdk/skald_plugin.h"

namespace skald::plugins {

struct PluginHost::State {
  struct Activity {
    const skald_plugin* plugin;
    std::string name;
  };
  std::map<std::string, Activity> activities;
  std::vector<const skald_plugin*> plugins;
  std::vector<std::string> problems;
  std::mutex mutex;
  std::condition_variable idle;
  int running = 0;
  std::map<std::string, ActivityMeter> meters;

  absl::Status load_file(const std::filesystem::path& file, const PluginHostOptions& options);
};

namespace {

using temporal::api::common::v1::Payloads;
using temporal::api::failure::v1::Failure;

std::string copy(skald_text text) { return {text.data == nullptr ? "" : text.data, text.size}; }

Payloads payloads(std::string json) {
  Payloads out;
  if (json.empty()) return out;
  auto* payload = out.add_payloads();
  (*payload->mutable_metadata())["encoding"] = "json/plain";
  payload->set_data(std::move(json));
  return out;
}

Failure failure(const std::string& type, const std::string& message, bool non_retryable) {
  Failure out;
  out.set_message(message);
  out.set_source("skald-plugin");
  out.mutable_application_failure_info()->set_type(type);
  out.mutable_application_failure_info()->set_non_retryable(non_retryable);
  return out;
}

}  // namespace
}  // namespace skald::plugins

struct skald_call {
  std::function<void(skald::worker::ActivityOutcome)> done;
  skald::worker::ActivityExecutor::Heartbeat heartbeat;
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
};

namespace skald::plugins {
namespace {

void finish(skald_call* call, worker::ActivityOutcome outcome) {
  std::unique_ptr<skald_call> owned(call);
  owned->done(std::move(outcome));
}

const skald_host kHost = {
    SKALD_PLUGIN_ABI,
    [](skald_call* call, skald_text result) { finish(call, payloads(copy(result))); },
    [](skald_call* call, const skald_failure* f) {
      Failure out = failure(copy(f->type), copy(f->message), f->non_retryable != 0);
      auto* info = out.mutable_application_failure_info();
      if (f->details.size > 0) *info->mutable_details() = payloads(copy(f->details));
      if (f->next_retry_delay_ms > 0) {
        info->mutable_next_retry_delay()->set_seconds(f->next_retry_delay_ms / 1000);
        info->mutable_next_retry_delay()->set_nanos(static_cast<int32_t>(f->next_retry_delay_ms % 1000 * 1000000));
      }
      finish(call, std::move(out));
    },
    [](skald_call* call) { finish(call, worker::ActivityCancelled{}); },
    [](skald_call* call, skald_text details) {
      call->heartbeat(payloads(copy(details)), [flag = call->cancelled] { flag->store(true); });
    },
    [](skald_call* call) { return call->cancelled->load() ? 1 : 0; },
    [](int level, skald_text text) {
      const auto severity = level <= 0   ? spdlog::level::debug
                            : level == 1 ? spdlog::level::info
                            : level == 2 ? spdlog::level::warn
                                         : spdlog::level::err;
      spdlog::log(severity, "{}", copy(text));
    },
};

absl::Time time_of(const google::protobuf::Timestamp& at) {
  return absl::FromUnixSeconds(at.seconds()) + absl::Nanoseconds(at.nanos());
}

// When this attempt's answer is of no use any more.
absl::Time deadline_of(const worker::api::PollActivityTaskQueueResponse& task) {
  const auto& limit = task.start_to_close_timeout();
  const absl::Duration length = absl::Seconds(limit.seconds()) + absl::Nanoseconds(limit.nanos());
  if (length <= absl::ZeroDuration()) return absl::Now() + absl::Hours(24);
  return (task.has_started_time() ? time_of(task.started_time()) : absl::Now()) + length;
}

}  // namespace

absl::Status PluginHost::State::load_file(const std::filesystem::path& file, const PluginHostOptions& options) {
  const std::string path = file.string();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return absl::InvalidArgumentError(absl::StrCat("cannot load plugin ", path, ": ", dlerror()));
  const auto entry = reinterpret_cast<skald_plugin_entry_fn>(dlsym(library, "skald_plugin_entry"));
  const skald_plugin* plugin = entry == nullptr ? nullptr : entry();
  absl::Status problem;
  if (plugin == nullptr) {
    problem =
        absl::InvalidArgumentError(absl::StrCat(path, " is not a Skald plugin: it does not export skald_plugin_entry"));
  } else if (plugin->abi != SKALD_PLUGIN_ABI) {
    problem = absl::FailedPreconditionError(absl::StrCat(path, " was built for plugin interface ", plugin->abi,
                                                         ", this host speaks ", SKALD_PLUGIN_ABI, ": build it again"));
  } else {
    for (size_t i = 0; i < plugin->activity_count; ++i) {
      const std::string type = absl::StrCat(plugin->name, ".", plugin->activities[i]);
      if (activities.contains(type))
        problem = absl::AlreadyExistsError(absl::StrCat(path, ": activity ", type, " is there already"));
    }
    char error[512] = "";
    const auto config = options.config.find(plugin->name);
    const std::string text = config == options.config.end() ? "" : config->second;
    if (problem.ok() && plugin->init(&kHost, {text.data(), text.size()},
                                     {options.data_path.data(), options.data_path.size()}, error, sizeof error) != 0) {
      problem = absl::FailedPreconditionError(absl::StrCat("plugin ", plugin->name, " did not start: ", error));
    }
  }
  if (!problem.ok()) {
    dlclose(library);
    return problem;
  }
  plugins.push_back(plugin);
  for (size_t i = 0; i < plugin->activity_count; ++i) {
    activities[absl::StrCat(plugin->name, ".", plugin->activities[i])] = {plugin, plugin->activities[i]};
  }
  return absl::OkStatus();
}

PluginHost::PluginHost(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<PluginHost>> PluginHost::load(PluginHostOptions options) {
  std::error_code code;
  std::vector<std::filesystem::path> files;
  for (const auto& item : std::filesystem::directory_iterator(options.folder, code)) {
    if (item.path().extension() == ".so") files.push_back(item.path());
  }
  if (code)
    return absl::NotFoundError(absl::StrCat("cannot read the plugins' folder ", options.folder, ": ", code.message()));
  std::sort(files.begin(), files.end());
  std::unique_ptr<PluginHost> host(new PluginHost(std::make_unique<State>()));
  for (const auto& file : files) {
    const absl::Status status = host->state_->load_file(file, options);
    if (status.ok()) continue;
    if (options.strict) return status;
    spdlog::error("{}", base::text(status));
    host->state_->problems.emplace_back(base::text(status));
  }
  return host;
}

PluginHost::~PluginHost() {
  {
    std::unique_lock lock(state_->mutex);
    state_->idle.wait(lock, [this] { return state_->running == 0; });
  }
  for (const skald_plugin* plugin : state_->plugins) plugin->shutdown();
}

void PluginHost::execute(const worker::api::PollActivityTaskQueueResponse& task, Heartbeat heartbeat,
                         std::function<void(worker::ActivityOutcome)> done) {
  const std::string& type = task.activity_type().name();
  const auto found = state_->activities.find(type);
  if (found == state_->activities.end()) {
    return done(failure("NotFoundError",
                        absl::StrCat("no activity ", type, "; there are: ", absl::StrJoin(activities(), ", ")), true));
  }
  const absl::Time begun = absl::Now(), deadline = deadline_of(task);
  {
    std::lock_guard lock(state_->mutex);
    ++state_->running;
    ++state_->meters[type].started;
  }
  auto* call = new skald_call;
  call->heartbeat = std::move(heartbeat);
  call->done = [state = state_.get(), type, begun, deadline, done = std::move(done)](worker::ActivityOutcome outcome) {
    const absl::Time now = absl::Now();
    const bool late = now > deadline;
    if (late) outcome = failure("LateAnswer", absl::StrCat(type, " answered after its start-to-close timeout"), false);
    const size_t kind = outcome.index();
    done(std::move(outcome));
    std::lock_guard lock(state->mutex);
    ActivityMeter& meter = state->meters[type];
    ++(late ? meter.late : kind == 0 ? meter.completed : kind == 1 ? meter.failed : meter.cancelled);
    meter.seconds += absl::ToDoubleSeconds(now - begun);
    --state->running;
    state->idle.notify_all();
  };
  const std::string key = absl::StrCat(task.workflow_execution().run_id(), "/", task.activity_id());
  const auto first = [](const Payloads& from) {
    return from.payloads_size() == 0 ? std::string() : from.payloads(0).data();
  };
  const std::string input = first(task.input()), details = first(task.heartbeat_details());
  const auto view = [](const std::string& text) { return skald_text{text.data(), text.size()}; };
  const skald_task out = {view(found->second.name),
                          view(input),
                          view(key),
                          view(task.workflow_execution().workflow_id()),
                          view(task.workflow_type().name()),
                          view(details),
                          std::max(task.attempt(), 1),
                          absl::ToUnixMillis(deadline)};
  found->second.plugin->execute(&out, call);
}

std::vector<std::string> PluginHost::activities() const {
  std::vector<std::string> names;
  for (const auto& [name, activity] : state_->activities) names.push_back(name);
  return names;
}

const std::vector<std::string>& PluginHost::problems() const { return state_->problems; }

std::map<std::string, ActivityMeter> PluginHost::meters() const {
  std::lock_guard lock(state_->mutex);
  return state_->meters;
}

}  // namespace skald::plugins
