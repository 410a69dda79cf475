#include <algorithm>
#include <filesystem>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <spdlog/spdlog.h>

#include "engine/base/text.h"
#include "plugins/host/host_state.h"
#include "plugins/host/plugin_host.h"

namespace skald::plugins {
namespace {

constexpr absl::Duration kShortestEnd = absl::Seconds(1), kLongestEnd = absl::Seconds(10);

// How long a plugin may take to heed a request to cancel, and then to shut down.
absl::Duration end_time(const PluginLimits& limits) { return std::clamp(limits.drain_time, kShortestEnd, kLongestEnd); }

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::string changed(const PluginFacts& from, const PluginFacts& to) {
  return absl::StrCat("plugin ", to.name, ": version ", from.version, " -> ", to.version, ": ");
}

}  // namespace

std::vector<std::string> PluginHost::reload() {
  std::lock_guard one(state_->reloading);
  std::vector<std::string> said, seen;
  const auto files = state_->files();
  if (!files.ok()) {
    said.push_back(absl::StrCat("plugins are not reloaded: ", files.status().message()));
    spdlog::error("{}", said.back());
    return said;
  }
  {
    std::lock_guard lock(state_->mutex);
    state_->problems.clear();
    std::erase_if(state_->missing, [&](const auto& entry) {
      return !contains(*files, (std::filesystem::path(state_->options.folder) / (entry.first + ".so")).string());
    });
  }
  std::vector<State::Said> all;
  for (const std::string& file : *files) all.push_back(state_->look_at(file, *files, seen));
  std::vector<std::string> gone;
  for (const auto& [name, hosted] : state_->plugins) {
    if (!contains(seen, name)) gone.push_back(name);
  }
  for (const std::string& name : gone) all.push_back(state_->unload(name));
  for (const auto& [sentence, failed] : all) {
    if (sentence.empty()) continue;
    spdlog::log(failed ? spdlog::level::err : spdlog::level::info, "{}", sentence);
    said.push_back(sentence);
  }
  return said;
}

// What becomes of one file; nothing to say if it is as it was. Adds the plugin that it stands for to `seen`.
PluginHost::State::Said PluginHost::State::look_at(const std::string& file, const std::vector<std::string>& files,
                                                   std::vector<std::string>& seen) {
  const auto known = std::find_if(plugins.begin(), plugins.end(),
                                  [&](const auto& entry) { return entry.second.loaded.image->path() == file; });
  const auto refused = [&](const absl::Status& why) -> Said {
    std::string sentence(base::text(why));
    {
      std::lock_guard lock(mutex);
      problems.push_back(sentence);
    }
    if (known == plugins.end()) {
      miss(std::filesystem::path(file).stem().string(), why);
      return {sentence, !absl::IsNotFound(why)};  // what needs a configuration and has none: nobody has asked for it
    }
    seen.push_back(known->first);
    return {absl::StrCat("plugin ", known->first, ": version ", known->second.loaded.facts.version,
                         " goes on as it was: ", sentence),
            true};
  };
  auto image = LibraryImage::read(file);
  if (!image.ok()) return refused(image.status());
  if (known != plugins.end() && known->second.running && **image == *known->second.loaded.image) {
    const LoadedPlugin& old = known->second.loaded;
    const auto config = current_config(file, old.facts, load_options);
    if (!config.ok()) return refused(config.status());
    if (config->text == old.config.text && config->host == old.config.host) {
      seen.push_back(known->first);
      return {};
    }
  }
  auto loaded = load_plugin(*std::move(image), load_options);
  if (!loaded.ok()) return refused(loaded.status());
  seen.push_back(loaded->facts.name);
  return take(*std::move(loaded), files);
}

// A plugin that is new or has changed.
PluginHost::State::Said PluginHost::State::take(LoadedPlugin loaded, const std::vector<std::string>& files) {
  const std::string name = loaded.facts.name, version = loaded.facts.version;
  const auto old = plugins.find(name);
  if (old != plugins.end()) {
    const std::string& path = old->second.loaded.image->path();
    if (path == loaded.image->path() || !contains(files, path)) return replace(name, std::move(loaded));
  }
  if (auto status = add(std::move(loaded)); !status.ok()) {
    std::lock_guard lock(mutex);
    return {problems.emplace_back(base::text(status)), true};
  }
  return {absl::StrCat("plugin ", name, ": version ", version, ": loaded")};
}

PluginHost::State::Said PluginHost::State::replace(const std::string& name, LoadedPlugin loaded) {
  Hosted old = plugins.at(name);
  const auto next = std::make_shared<Lane>(loaded.backend, loaded.facts, loaded.config.limits);
  const std::string versions = changed(old.loaded.facts, loaded.facts);
  route(name, {loaded, next});
  old.lane->hand_over(next);
  const bool ended = drain(old.lane);
  {
    std::lock_guard lock(mutex);
    if (stopping) return {absl::StrCat(versions, "not reloaded, as the host stops")};
  }
  const absl::Status started = start(*next, loaded);
  if (started.ok()) return {absl::StrCat(versions, "reloaded")};

  const std::string why(base::text(not_started(loaded, started)));
  if (!ended) {
    std::lock_guard lock(mutex);
    plugins.at(name).running = false;
    problems.push_back(why);
    return {absl::StrCat(versions, "not reloaded, and the old version has not ended: start the host again: ", why),
            true};
  }
  const auto again = std::make_shared<Lane>(old.loaded.backend, old.loaded.facts, old.loaded.config.limits);
  old.lane = again;
  route(name, old);
  next->hand_over(again);
  const absl::Status back = start(*again, old.loaded);
  std::lock_guard lock(mutex);
  plugins.at(name).running = back.ok();
  problems.push_back(why);
  return {back.ok() ? absl::StrCat(versions, "not reloaded, the old version goes on: ", why)
                    : absl::StrCat(versions, "not reloaded, and the old version does not start again either: ", why,
                                   "; ", back.message()),
          true};
}

PluginHost::State::Said PluginHost::State::unload(const std::string& name) {
  const Hosted old = plugins.at(name);
  {
    std::lock_guard lock(mutex);
    unroute(name);
  }
  drain(old.lane);
  std::lock_guard lock(mutex);
  plugins.erase(name);
  return {absl::StrCat("plugin ", name, ": version ", old.loaded.facts.version, ": unloaded, as its file is gone")};
}

// Ends a plugin's lane: what runs gets its time, and then is answered. stop() cuts this short. Whether it has ended.
bool PluginHost::State::drain(const std::shared_ptr<Lane>& lane) {
  {
    std::lock_guard lock(mutex);
    draining = lane;
    if (stopping) lane->stop_waiting();
  }
  const PluginLimits& limits = lane->limits();
  if (!lane->wait_idle(absl::Now() + limits.drain_time)) {
    lane->cancel_all(Call::kPluginReloading);
    lane->wait_idle(absl::Now() + std::min(limits.drain_time, end_time(limits)));
    lane->answer_all(
        application_failure(Call::kPluginReloading, "the plugin was reloaded before the activity ended", false));
  }
  const bool ended = lane->finish(absl::Now() + end_time(limits));
  if (!ended) {
    spdlog::error("plugin {} does not end: {} of its activities still run, and are left behind", lane->facts().name,
                  lane->meter().held);
  }
  std::lock_guard lock(mutex);
  draining = nullptr;
  if (!ended) left_behind.push_back(lane);
  return ended;
}

}  // namespace skald::plugins
