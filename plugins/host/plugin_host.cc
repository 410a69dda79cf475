#include "plugins/host/plugin_host.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/time/clock.h>
#include <spdlog/spdlog.h>

#include "engine/base/text.h"
#include "plugins/host/host_state.h"
#include "plugins/host/secrets.h"

namespace skald::plugins {
namespace {

std::string stem(const std::string& file) { return std::filesystem::path(file).stem().string(); }

}  // namespace

absl::StatusOr<std::vector<std::string>> PluginHost::State::files() const {
  std::error_code code;
  std::vector<std::string> files;
  for (const auto& item : std::filesystem::directory_iterator(options.folder, code)) {
    if (item.path().extension() == ".so") files.push_back(item.path().string());
  }
  if (code)
    return absl::NotFoundError(absl::StrCat("cannot read the plugins' folder ", options.folder, ": ", code.message()));
  std::sort(files.begin(), files.end());
  return files;
}

absl::Status PluginHost::State::not_started(const LoadedPlugin& loaded, const absl::Status& why) const {
  return absl::Status(
      why.code(), absl::StrCat("plugin ", loaded.facts.name, " did not start",
                               loaded.config_source.empty() ? "" : absl::StrCat(" with ", loaded.config_source), ": ",
                               why.message()));
}

absl::Status PluginHost::State::add(LoadedPlugin loaded) {
  const std::string name = loaded.facts.name;
  if (plugins.contains(name))
    return absl::AlreadyExistsError(absl::StrCat(loaded.image->path(), ": plugin ", name, " is there already"));
  auto lane = std::make_shared<Lane>(loaded.backend, loaded.facts, loaded.config.limits);
  if (auto status = start(*lane, loaded); !status.ok()) {
    const absl::Status why = not_started(loaded, status);
    miss(name, why);
    return why;
  }
  route(name, {std::move(loaded), std::move(lane)});
  return absl::OkStatus();
}

absl::Status PluginHost::State::start(Lane& lane, const LoadedPlugin& loaded) const {
  const auto books = books_of(loaded.facts.name, loaded.config.limits.isolated, options.data_path, options.isolation);
  return books.ok() ? lane.start(loaded.config.text, *books) : books.status();
}

void PluginHost::State::route(const std::string& name, Hosted hosted) {
  std::lock_guard lock(mutex);
  unroute(name);
  missing.erase(name);
  missing.erase(stem(hosted.loaded.image->path()));
  for (const std::string& activity : hosted.loaded.facts.activities)
    activities[absl::StrCat(name, ".", activity)] = {hosted.lane, activity};
  plugins.insert_or_assign(name, std::move(hosted));
}

void PluginHost::State::unroute(const std::string& name) {
  const std::string prefix = name + ".";
  std::erase_if(activities, [&](const auto& entry) { return entry.first.compare(0, prefix.size(), prefix) == 0; });
}

// Why there is no such activity, and what to do.
std::string PluginHost::State::unknown(const std::string& type) const {
  const std::string name = type.substr(0, type.find('.'));
  std::lock_guard lock(mutex);
  if (const auto plugin = plugins.find(name); plugin != plugins.end()) {
    const PluginFacts& facts = plugin->second.loaded.facts;
    std::vector<std::string> names;
    for (const std::string& activity : facts.activities) names.push_back(absl::StrCat(name, ".", activity));
    return absl::StrCat("no activity ", type, ": plugin ", name, ", version ", facts.version, ", has no such; it has ",
                        names.empty() ? "none" : absl::StrJoin(names, ", "));
  }
  const auto problem = missing.find(name);
  return absl::StrCat(
      "no activity ", type, ": plugin ", name, " is not loaded: ",
      problem != missing.end() ? problem->second : absl::StrCat("no file in ", options.folder, " is it"),
      ". Once it is there, kill -HUP has it loaded, and the next attempt finds it");
}

void PluginHost::State::miss(const std::string& name, const absl::Status& why) {
  std::lock_guard lock(mutex);
  missing.insert_or_assign(name, blank_secrets(std::string(base::text(why))));
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
  std::unique_ptr<PluginHost> host(new PluginHost(std::make_shared<State>(std::move(options))));
  State& state = *host->state_;
  const auto files = state.files();
  if (!files.ok()) return files.status();
  for (const auto& file : *files) {
    auto image = LibraryImage::read(file);
    absl::Status status = image.status();
    if (status.ok()) {
      auto loaded = load_plugin(*std::move(image), state.load_options);
      status = loaded.ok() ? state.add(*std::move(loaded)) : loaded.status();
    }
    if (status.ok()) continue;
    state.miss(stem(file), status);
    if (absl::IsNotFound(status)) {  // it has no configuration and needs one: nobody has asked for it
      spdlog::info("{} is left out: {}", file, base::text(status));
      continue;
    }
    if (state.options.strict) return status;
    state.problems.emplace_back(base::text(status));
  }
  return host;
}

PluginHost::~PluginHost() { stop(state_->options.stop_grace); }

void PluginHost::stop(absl::Duration grace) {
  {
    std::lock_guard lock(state_->mutex);
    if (std::exchange(state_->stopping, true)) return;
    if (state_->draining != nullptr) state_->draining->stop_waiting();
  }
  std::lock_guard no_reload(state_->reloading);
  std::vector<std::shared_ptr<Lane>> lanes;
  for (const auto& [name, hosted] : state_->plugins) lanes.push_back(hosted.lane);
  const absl::Time begun = absl::Now();
  bool idle = true;
  for (const auto& lane : lanes) idle &= lane->wait_idle(begun + grace / 2);
  if (!idle) {
    for (const auto& lane : lanes) lane->cancel_all(Call::kHostStopping);
    for (const auto& lane : lanes) lane->wait_idle(begun + grace);
    const auto failure =
        application_failure(Call::kHostStopping, "the host of the plugins stopped before the activity ended", false);
    for (const auto& lane : lanes) lane->answer_all(failure);
  }
  const absl::Time end = absl::Now() + grace / 2;
  for (const auto& lane : lanes) {
    if (!lane->finish(end)) {
      spdlog::error("plugin {} does not end: {} of its activities still run, and are left behind", lane->facts().name,
                    lane->meter().held);
    }
  }
  state_->alarms->stop();
}

void PluginHost::execute(const worker::wire::PollActivityTaskQueueResponse& task, Heartbeat heartbeat,
                         std::function<void(worker::ActivityOutcome)> done) {
  const std::string& type = task.activity_type().name();
  const int64_t size =
      task.input().payloads_size() == 0 ? 0 : static_cast<int64_t>(task.input().payloads(0).data().size());
  State::Activity activity;
  bool stopping;
  {
    std::lock_guard lock(state_->mutex);
    stopping = state_->stopping;
    if (const auto found = state_->activities.find(type); found != state_->activities.end()) activity = found->second;
    if (!stopping && activity.lane != nullptr && size <= activity.lane->limits().max_input_bytes)
      ++state_->meters[type].started;
  }
  if (stopping) return done(application_failure("HostStopping", "the host of the plugins stops", false));
  // Not for good: its plugin may only be away for a while, and what it has to undo must not be lost.
  if (activity.lane == nullptr) return done(application_failure("NotFoundError", state_->unknown(type), false));
  if (const int64_t limit = activity.lane->limits().max_input_bytes; size > limit) {
    const std::string text = absl::StrCat("the input of ", type, " has ", size, " bytes, the limit is ", limit);
    return done(application_failure("InputTooLarge", text, true));
  }
  Call::Callbacks callbacks{std::move(heartbeat),
                            [state = state_](Call& call, Ending ending) { state->count(call, ending); },
                            std::move(done)};
  const auto call = std::make_shared<Call>(task, activity.name, state_->alarms, std::move(callbacks));
  call->watch_deadline();
  activity.lane->push(call);
}

std::vector<std::string> PluginHost::activities() const {
  std::lock_guard lock(state_->mutex);
  std::vector<std::string> names;
  for (const auto& [name, activity] : state_->activities) names.push_back(name);
  return names;
}

std::vector<std::string> PluginHost::problems() const {
  std::lock_guard lock(state_->mutex);
  return state_->problems;
}

std::map<std::string, ActivityMeter> PluginHost::meters() const {
  std::lock_guard lock(state_->mutex);
  return state_->meters;
}

std::map<std::string, PluginMeter> PluginHost::plugin_meters() const {
  std::lock_guard lock(state_->mutex);
  std::map<std::string, PluginMeter> out;
  for (const auto& [name, hosted] : state_->plugins) out[name] = hosted.lane->meter();
  for (const auto& lane : state_->left_behind) {
    const PluginMeter old = lane->meter();
    PluginMeter& meter = out[lane->facts().name];
    meter.held += old.held;
    meter.overdue += old.overdue;
  }
  return out;
}

}  // namespace skald::plugins
