#include "plugins/host/load.h"

#include <filesystem>
#include <set>
#include <string_view>

#include <absl/strings/str_cat.h>
#include <dlfcn.h>
#include <spdlog/spdlog.h>

#include "plugins/host/call.h"
#include "plugins/host/secrets.h"
#include "plugins/sdk/exception_text.h"

namespace skald::plugins {
namespace {

skald_text view(const std::string& text) { return {text.data(), text.size()}; }

bool good_name(const char* name) {
  if (name == nullptr || *name == 0) return false;
  for (const char* c = name; *c != 0; ++c) {
    if (!isalnum(static_cast<unsigned char>(*c)) && *c != '_' && *c != '-') return false;
  }
  return true;
}

absl::Status check(const std::string& path, const skald_plugin* plugin) {
  if (plugin == nullptr)
    return absl::InvalidArgumentError(absl::StrCat(path, ": its skald_plugin_entry returned nothing"));
  // Nothing behind the first field may be read before it is known to be right.
  if (plugin->abi != SKALD_PLUGIN_ABI) {
    return absl::FailedPreconditionError(absl::StrCat(path, " was built for plugin interface ", plugin->abi,
                                                      ", this host speaks ", SKALD_PLUGIN_ABI, ": build it again"));
  }
  if (!good_name(plugin->name))
    return absl::InvalidArgumentError(absl::StrCat(path, ": a plugin's name is letters, digits, _ and -"));
  if (plugin->init == nullptr || plugin->execute == nullptr || plugin->shutdown == nullptr)
    return absl::InvalidArgumentError(absl::StrCat(path, ": init, execute and shutdown must all be there"));
  std::set<std::string_view> names;
  for (size_t i = 0; i < plugin->activity_count; ++i) {
    const char* name = plugin->activities[i];
    if (!good_name(name))
      return absl::InvalidArgumentError(absl::StrCat(path, ": an activity's name is letters, digits, _ and -"));
    if (!names.insert(name).second)
      return absl::AlreadyExistsError(absl::StrCat(path, ": activity ", plugin->name, ".", name, " is there twice"));
  }
  return absl::OkStatus();
}

// A library is never closed again: whatever it began may still run in its code.
absl::StatusOr<const skald_plugin*> open(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return absl::InvalidArgumentError(absl::StrCat("cannot load plugin ", path, ": ", dlerror()));
  const auto entry = reinterpret_cast<skald_plugin_entry_fn>(dlsym(library, "skald_plugin_entry"));
  if (entry == nullptr) {
    dlclose(library);
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not a Skald plugin: it does not export skald_plugin_entry"));
  }
  try {
    return entry();
  } catch (...) {
    const auto [type, message] = plugin::current_exception_text();
    return absl::InvalidArgumentError(absl::StrCat(path, ": its skald_plugin_entry threw ", type, ": ", message));
  }
}

}  // namespace

absl::StatusOr<LoadedPlugin> load_plugin(const std::string& path, const std::map<std::string, std::string>& configs) {
  const auto plugin = open(path);
  if (!plugin.ok()) return plugin.status();
  if (auto status = check(path, *plugin); !status.ok()) return status;
  const auto source = find_config(path, (*plugin)->name, configs);
  if (!source.ok()) return source.status();
  auto config = read_config(*source, (*plugin)->config_schema);
  if (!config.ok()) return config.status();
  for (const std::string& warning : config->warnings) spdlog::warn("{}", warning);
  return LoadedPlugin{path, *plugin, *std::move(config), source->text.empty() ? "" : source->name};
}

absl::Status initialize(const LoadedPlugin& loaded, const std::string& data_path) {
  char error[512] = "";
  std::string reason;
  try {
    if (loaded.plugin->init(Call::host_functions(), view(loaded.config.text), view(data_path), error, sizeof error) ==
        0)
      return absl::OkStatus();
    reason = error;
  } catch (...) {
    const auto [type, message] = plugin::current_exception_text();
    reason = absl::StrCat(type, ": ", message);
  }
  return absl::FailedPreconditionError(blank_secrets(
      absl::StrCat("plugin ", loaded.plugin->name, " did not start",
                   loaded.config_source.empty() ? "" : absl::StrCat(" with ", loaded.config_source), ": ", reason)));
}

}  // namespace skald::plugins
