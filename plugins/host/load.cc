#include "plugins/host/load.h"

#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "plugins/host/in_process.h"
#include "plugins/host/isolated.h"

namespace skald::plugins {
namespace {

// Whether the configuration asks for a process, before the plugin has been opened and its schema is known. An error is
// said later, with what the schema says.
absl::StatusOr<bool> wants_process(const std::string& path, const LoadOptions& options) {
  const auto source = find_config(path, std::filesystem::path(path).stem().string(), options.config);
  if (!source.ok()) return source.status();
  const auto config = nlohmann::json::parse(source->text, nullptr, false, true);
  if (config.is_discarded() && !source->text.empty()) return read_config(*source, nullptr).status();
  return config.is_object() && config.contains("isolation") && config["isolation"] == "process";
}

// A plugin is taken to be called like its file until it has said its name: what it is given goes by that.
absl::Status open_isolated(LoadedPlugin& loaded, const LoadOptions& options) {
  std::string name = loaded.facts.name;
  if (name.empty()) name = std::filesystem::path(loaded.image->path()).stem().string();
  for (;;) {
    auto confinement = confinement_of(name, options.data_path, options.isolation);
    if (!confinement.ok()) return confinement.status();
    auto opened = Isolated::open(loaded.image, options.isolation_command, *std::move(confinement));
    if (!opened.ok()) return opened.status();
    loaded.facts = (*opened)->facts();
    loaded.backend = *std::move(opened);
    if (std::exchange(name, loaded.facts.name) == loaded.facts.name) return absl::OkStatus();
  }
}

absl::Status open_here(LoadedPlugin& loaded) {
  // Never closed, as the library is not: its number is the library's name, by which the loader would find it again.
  const int fd = fcntl(loaded.image->fd(), F_DUPFD_CLOEXEC, 0);
  const auto plugin = open_library(fd, loaded.image->path());
  if (!plugin.ok()) return plugin.status();
  loaded.facts = facts_of(**plugin);
  loaded.backend = std::make_shared<InProcess>(**plugin);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PluginConfig> current_config(const std::string& path, const PluginFacts& facts,
                                            const LoadOptions& options, std::string* source_name) {
  const auto source = find_config(path, facts.name, options.config);
  if (!source.ok()) return source.status();
  if (source_name != nullptr && !source->text.empty()) *source_name = source->name;
  return read_config(*source, facts.config_schema ? facts.config_schema->c_str() : nullptr);
}

absl::StatusOr<LoadedPlugin> load_plugin(std::shared_ptr<const LibraryImage> image, const LoadOptions& options) {
  const std::string path = image->path();
  LoadedPlugin loaded{std::move(image), {}, {}, {}, {}};
  const auto process = wants_process(path, options);
  if (!process.ok()) return process.status();
  if (auto status = *process ? open_isolated(loaded, options) : open_here(loaded); !status.ok()) return status;
  auto config = current_config(path, loaded.facts, options, &loaded.config_source);
  if (!config.ok()) return config.status();
  loaded.config = *std::move(config);
  // A file and its plugin may have different names.
  if (loaded.config.limits.isolated && !*process) {
    if (auto status = open_isolated(loaded, options); !status.ok()) return status;
  }
  for (const std::string& warning : loaded.config.warnings) spdlog::warn("{}", warning);
  return loaded;
}

}  // namespace skald::plugins
