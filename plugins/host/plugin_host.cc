#include "plugins/host/plugin_host.h"

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/time/clock.h>
#include <spdlog/spdlog.h>

#include "engine/base/text.h"
#include "plugins/host/alarms.h"
#include "plugins/host/load.h"

namespace skald::plugins {

struct PluginHost::State {
  struct Activity {
    std::shared_ptr<Lane> lane;
    std::string name;
  };

  absl::Duration grace;
  std::vector<std::shared_ptr<Lane>> lanes;
  std::map<std::string, Activity> activities;
  std::vector<std::string> problems;
  std::shared_ptr<Alarms> alarms = std::make_shared<Alarms>();
  std::mutex mutex;  // guards what follows
  bool stopping = false;
  std::map<std::string, ActivityMeter> meters;

  absl::Status add(LoadedPlugin loaded, const PluginHostOptions& options);
  void count(const Call& call, Ending ending);
};

absl::Status PluginHost::State::add(LoadedPlugin loaded, const PluginHostOptions& options) {
  const skald_plugin& plugin = *loaded.plugin;
  for (const auto& lane : lanes) {
    if (lane->plugin().name == std::string_view(plugin.name))
      return absl::AlreadyExistsError(absl::StrCat(loaded.path, ": plugin ", plugin.name, " is there already"));
  }
  if (auto status = initialize(loaded, options.data_path); !status.ok()) return status;
  auto lane = std::make_shared<Lane>(plugin, loaded.config.limits);
  lane->start();
  for (size_t i = 0; i < plugin.activity_count; ++i) {
    activities[absl::StrCat(plugin.name, ".", plugin.activities[i])] = {lane, plugin.activities[i]};
  }
  lanes.push_back(std::move(lane));
  return absl::OkStatus();
}

void PluginHost::State::count(const Call& call, Ending ending) {
  std::lock_guard lock(mutex);
  ActivityMeter& meter = meters[call.type];
  switch (ending) {
    case Ending::kCompleted:
      ++meter.completed;
      break;
    case Ending::kFailed:
      ++meter.failed;
      break;
    case Ending::kCancelled:
      ++meter.cancelled;
      break;
    case Ending::kTimedOut:
      ++meter.timed_out;
      break;
  }
  meter.seconds += absl::ToDoubleSeconds(absl::Now() - call.arrived);
}

PluginHost::PluginHost(std::shared_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<PluginHost>> PluginHost::load(PluginHostOptions options) {
  std::error_code code;
  std::vector<std::filesystem::path> files;
  for (const auto& item : std::filesystem::directory_iterator(options.folder, code)) {
    if (item.path().extension() == ".so") files.push_back(item.path());
  }
  if (code)
    return absl::NotFoundError(absl::StrCat("cannot read the plugins' folder ", options.folder, ": ", code.message()));
  std::sort(files.begin(), files.end());
  std::unique_ptr<PluginHost> host(new PluginHost(std::make_shared<State>()));
  host->state_->grace = options.stop_grace;
  for (const auto& file : files) {
    auto loaded = load_plugin(file.string(), options.config);
    const absl::Status status = loaded.ok() ? host->state_->add(*std::move(loaded), options) : loaded.status();
    if (status.ok()) continue;
    if (options.strict) return status;
    host->state_->problems.emplace_back(base::text(status));
  }
  return host;
}

PluginHost::~PluginHost() { stop(state_->grace); }

void PluginHost::stop(absl::Duration grace) {
  {
    std::lock_guard lock(state_->mutex);
    if (std::exchange(state_->stopping, true)) return;
  }
  const absl::Time begun = absl::Now();
  bool idle = true;
  for (const auto& lane : state_->lanes) idle &= lane->wait_idle(begun + grace / 2);
  if (!idle) {
    for (const auto& lane : state_->lanes) lane->cancel_all();
    for (const auto& lane : state_->lanes) lane->wait_idle(begun + grace);
    const auto failure =
        application_failure("HostStopping", "the host of the plugins stopped before the activity ended", false);
    for (const auto& lane : state_->lanes) lane->answer_all(failure);
  }
  const absl::Time end = absl::Now() + grace / 2;
  for (const auto& lane : state_->lanes) {
    if (!lane->finish(end)) {
      spdlog::error("plugin {} does not end: {} of its activities still run, and are left behind", lane->plugin().name,
                    lane->meter().held);
    }
  }
  state_->alarms->stop();
}

void PluginHost::execute(const worker::api::PollActivityTaskQueueResponse& task, Heartbeat heartbeat,
                         std::function<void(worker::ActivityOutcome)> done) {
  const std::string& type = task.activity_type().name();
  const auto found = state_->activities.find(type);
  if (found == state_->activities.end()) {
    const std::string text = absl::StrCat("no activity ", type, "; there are: ", absl::StrJoin(activities(), ", "));
    return done(application_failure("NotFoundError", text, true));
  }
  const std::shared_ptr<Lane>& lane = found->second.lane;
  const int64_t size =
      task.input().payloads_size() == 0 ? 0 : static_cast<int64_t>(task.input().payloads(0).data().size());
  if (size > lane->limits().max_input_bytes) {
    const std::string text =
        absl::StrCat("the input of ", type, " has ", size, " bytes, the limit is ", lane->limits().max_input_bytes);
    return done(application_failure("InputTooLarge", text, true));
  }
  bool stopping;
  {
    std::lock_guard lock(state_->mutex);
    stopping = state_->stopping;
    if (!stopping) ++state_->meters[type].started;
  }
  if (stopping) return done(application_failure("HostStopping", "the host of the plugins stops", false));
  Call::Callbacks callbacks{std::move(heartbeat),
                            [state = state_, lane](Call& call, Ending ending) {
                              state->count(call, ending);
                              lane->answered(call, ending == Ending::kTimedOut);
                            },
                            std::move(done), [lane](Call& call) { lane->returned(call); }};
  const auto call =
      std::make_shared<Call>(task, found->second.name, lane->limits(), state_->alarms, std::move(callbacks));
  call->watch_deadline();
  lane->push(call);
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

std::map<std::string, PluginMeter> PluginHost::plugin_meters() const {
  std::map<std::string, PluginMeter> out;
  for (const auto& lane : state_->lanes) out[lane->plugin().name] = lane->meter();
  return out;
}

}  // namespace skald::plugins
