#include "plugins/host/config.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "engine/base/text.h"
#include "plugins/host/config_check.h"
#include "plugins/host/config_lines.h"
#include "plugins/host/host_settings.h"
#include "plugins/host/secrets.h"

namespace skald::plugins {
namespace {

using nlohmann::json;

constexpr size_t kLargestConfig = 1 << 20;
constexpr char kFolderKey[] = "$folder";
constexpr std::string_view kFilePrefix = "file:";

std::string told_without_place(const ConfigProblem& problem) {
  const std::string key = key_path(problem.pointer);
  return absl::StrCat(key, key.empty() ? "" : ": ", problem.sentence);
}

std::string told(const ConfigSource& source, const ConfigProblem& problem) {
  return absl::StrCat(source.name, ":", problem.line, ": ", told_without_place(problem));
}

// A parser's error as "not JSON: unexpected '}'; expected string literal", without what it read last, which may be a
// secret.
ConfigProblem syntax_problem(const std::string& text, const json::parse_error& error) {
  std::string why = error.what();
  const size_t at = why.find(" - ");
  why = at == std::string::npos ? "" : why.substr(at + 3);
  if (const size_t read = why.find("; last read: "); read != std::string::npos) {
    const size_t expected = why.rfind("; expected ");
    why = why.substr(0, read) + (expected == std::string::npos || expected < read ? "" : why.substr(expected));
  }
  const size_t byte = std::min(error.byte == 0 ? 0 : error.byte - 1, text.size());
  return {line_at(text, byte), "", absl::StrCat("this is not JSON", why.empty() ? "" : ": ", why)};
}

json take_host_keys(json& config) {
  json host = json::object();
  for (const auto& [key, ignored] : host_settings().items()) {
    if (!config.contains(key)) continue;
    host[key] = std::move(config[key]);
    config.erase(key);
  }
  return host;
}

// What is found while a configuration is read.
struct Findings {
  std::vector<ConfigProblem> problems, warnings;
  std::vector<std::string> secrets;

  void take(ConfigCheck check, const ConfigLines& lines) {
    for (auto& problem : check.problems) {
      problem.line = lines.line(problem.pointer);
      problems.push_back(std::move(problem));
    }
    for (auto& warning : check.warnings) {
      warning.line = lines.line(warning.pointer);
      warnings.push_back(std::move(warning));
    }
    secrets.insert(secrets.end(), check.secrets.begin(), check.secrets.end());
  }
};

std::vector<std::string> names_of(const json& object) {
  std::vector<std::string> names;
  for (const auto& [name, ignored] : object.items()) names.push_back(name);
  return names;
}

absl::Status refused(const ConfigSource& source, std::vector<ConfigProblem> problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
  std::vector<std::string> sentences;
  if (source.text.empty()) {
    for (const ConfigProblem& problem : problems) sentences.push_back(told_without_place(problem));
    return absl::NotFoundError(
        absl::StrCat(source.name, " is not there, and its plugin needs it: it ", absl::StrJoin(sentences, ", and ")));
  }
  for (const ConfigProblem& problem : problems) sentences.push_back(blank_secrets(told(source, problem)));
  return absl::InvalidArgumentError(absl::StrJoin(sentences, "\n"));
}

absl::StatusOr<std::string> contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::UnavailableError(absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  std::string text(kLargestConfig + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (in.bad()) return absl::UnavailableError(absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  return text;
}

std::string absolute_folder(const std::filesystem::path& file) {
  return std::filesystem::absolute(file).lexically_normal().parent_path().string();
}

}  // namespace

absl::StatusOr<ConfigSource> config_file(const std::string& path) {
  auto text = contents(path);
  if (!text.ok()) return text.status();
  return ConfigSource{path, *std::move(text), absolute_folder(path)};
}

absl::StatusOr<ConfigSource> find_config(const std::string& plugin_path, const std::string& plugin_name,
                                         const std::map<std::string, std::string>& given) {
  const std::string file = (std::filesystem::path(plugin_path).parent_path() / plugin_name).string() + ".json";
  if (const auto found = given.find(plugin_name); found != given.end()) {
    if (absl::StartsWith(found->second, kFilePrefix.data()))
      return config_file(found->second.substr(kFilePrefix.size()));
    return ConfigSource{absl::StrCat("the configuration of plugin ", plugin_name), found->second,
                        absolute_folder(file)};
  }
  std::error_code code;
  if (std::filesystem::exists(file, code)) return config_file(file);
  return ConfigSource{file, "", absolute_folder(file)};
}

absl::StatusOr<PluginConfig> read_config(const ConfigSource& source, const char* schema) {
  if (source.text.size() > kLargestConfig) {
    return refused(source, {{1, "", absl::StrCat("a configuration may have ", kLargestConfig, " bytes")}});
  }
  const std::string& text = source.text.empty() ? "{}" : source.text;
  json config;
  try {
    config = json::parse(text, nullptr, true, true);
  } catch (const json::parse_error& error) {
    return refused(source, {syntax_problem(text, error)});
  }
  const ConfigLines lines(text);
  Findings found;
  found.problems = lines.problems();
  if (config.contains(kFolderKey)) {
    const std::string pointer = absl::StrCat("/", kFolderKey);
    found.problems.push_back({lines.line(pointer), pointer, "is a key that the host itself adds"});
  }
  if (!found.problems.empty()) return refused(source, std::move(found.problems));
  if (!config.is_object()) return refused(source, {{1, "", "a plugin's configuration must be a JSON object"}});

  PluginConfig out;
  out.host = take_host_keys(config);
  const json host_schema = {{"type", "object"}, {"properties", host_settings()}};
  found.take(check_config(host_schema, out.host, source.folder, {}), lines);
  try {
    const json own = schema == nullptr ? json::object() : json::parse(schema);
    found.take(check_config(own, config, source.folder, names_of(host_settings())), lines);
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the plugin's own schema of its configuration is none, which its author must mend: ", error.what()));
  }
  remember_secrets(found.secrets);
  if (!found.problems.empty()) return refused(source, std::move(found.problems));

  auto limits = parse_limits(out.host);
  if (!limits.ok()) return refused(source, {{lines.line("/limits"), "", std::string(base::text(limits.status()))}});
  out.limits = *limits;
  out.secrets = std::move(found.secrets);
  for (const ConfigProblem& warning : found.warnings) out.warnings.push_back(told(source, warning));
  if (source.text.empty() && schema == nullptr) return out;
  config[kFolderKey] = source.folder;
  out.text = config.dump();
  return out;
}

}  // namespace skald::plugins
