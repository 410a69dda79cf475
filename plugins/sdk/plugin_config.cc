#include <algorithm>
#include <stdexcept>
#include <utility>

#include "plugins/sdk/plugin.h"
#include "plugins/sdk/threads.h"

// What a plugin's configuration may say.
namespace skald::plugin {
namespace {

// The host's keys, which it checks itself, and what it adds.
constexpr const char* kHostKeys[] = {"limits", "isolation", "drain_seconds", "$folder"};

}  // namespace

void Plugin::settings(json properties, std::vector<std::string> required) {
  settings_ = std::move(properties);
  required_ = std::move(required);
}

std::string Plugin::config_schema() const {
  json properties = settings_;
  for (const char* key : kHostKeys) properties[key] = json::object();
  properties["threads"] = {{"type", "integer"},
                           {"minimum", 1},
                           {"maximum", kMostThreads},
                           {"default", kThreads},
                           {"description", "For activities that wait; made when needed"}};
  properties["http"] = http_options_schema();
  if (sandbox_) properties["sandbox"] = {{"type", "object"}, {"description", "Faults by activity or step"}};
  return json{{"$schema", "http://json-schema.org/draft-07/schema#"},
              {"type", "object"},
              {"properties", std::move(properties)},
              {"required", required_},
              {"additionalProperties", false},
              {"x-activities", activity_kinds()}}
      .dump();
}

// For `skald plugin check`; validators ignore it.
json Plugin::activity_kinds() const {
  json kinds = json::object();
  for (size_t i = 0; i < names_.size(); ++i) {
    const Entry& entry = entries_[i];
    json& kind = kinds[names_[i]];
    if (!entry.effect.run) {
      kind = {{"kind", entry.async_activity ? "async activity" : "activity"}};
    } else if (entry.effect.step.empty()) {
      kind = {{"kind", "read"}};
    } else {
      kind = {{"kind", "effect"}, {"step", entry.effect.step}};
      if (!entry.effect.undoes.empty()) kind["undoes"] = entry.effect.undoes;
    }
  }
  return kinds;
}

std::string Plugin::config_folder() const {
  const auto found = config_.find("$folder");
  return found != config_.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// What the schema does not say.
void Plugin::check_config() const {
  if (!sandbox_ || !config_.contains("sandbox")) return;
  const json& sandbox = config_["sandbox"];
  check_sandbox(sandbox);
  for (const auto& [name, spec] : sandbox.items()) {
    if (is_faulty_name(name)) continue;
    std::string all;
    for (const std::string& each : names_) all += (all.empty() ? "" : ", ") + each;
    throw std::runtime_error("sandbox." + name + ": plugin " + name_ + " has no such activity or step; there are " +
                             all);
  }
}

// Whether a fault may be named so: by an activity, with or without the plugin's name, or by a step.
bool Plugin::is_faulty_name(const std::string& name) const {
  for (size_t i = 0; i < names_.size(); ++i) {
    if (name == names_[i] || name == name_ + "." + names_[i]) return true;
    if (!name.empty() && name == entries_[i].effect.step) return true;
  }
  return false;
}

}  // namespace skald::plugin
