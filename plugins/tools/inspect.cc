#include "plugins/tools/inspect.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/time/clock.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "plugins/host/config.h"
#include "plugins/host/in_process.h"
#include "plugins/host/library.h"
#include "plugins/tools/scratch.h"
#include "plugins/tools/settings_list.h"

namespace skald::plugins {
namespace {

using nlohmann::json;

// What the child writes: the doing that it begins, a line each, and last the report.
class Reporter {
 public:
  explicit Reporter(int fd) : fd_(fd) {}
  void begins(const std::string& doing) { put(doing + "\n"); }
  void ends(const json& report) { put(report.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"); }

 private:
  void put(const std::string& text) {
    for (size_t at = 0; at < text.size();) {
      const ssize_t written = ::write(fd_, text.data() + at, text.size() - at);
      if (written < 0 && errno != EINTR) return;
      if (written > 0) at += static_cast<size_t>(written);
    }
  }
  const int fd_;
};

void add_problem(json& report, const absl::Status& status) {
  for (const absl::string_view line :
       absl::StrSplit(absl::string_view(base::text(status).data(), status.message().size()), '\n'))
    report["problems"].push_back(std::string(line));
}

void describe(const PluginFacts& facts, const json& schema, json& report) {
  report["name"] = facts.name;
  report["version"] = facts.version;
  report["abi"] = SKALD_PLUGIN_ABI;
  const json kinds = schema.is_object() ? schema.value("x-activities", json::object()) : json::object();
  for (const std::string& name : facts.activities) {
    json entry = kinds.is_object() ? kinds.value(name, json::object()) : json::object();
    if (!entry.is_object()) entry = json::object();
    entry["name"] = name;
    report["activities"].push_back(std::move(entry));
  }
}

absl::StatusOr<ConfigSource> source_of(const InspectOptions& options, const std::string& name) {
  return options.config.empty() ? find_config(options.path, name, {}) : config_file(options.config);
}

// In the child.
void look(const InspectOptions& options, const std::string& books, json& report, Reporter& reporter) {
  reporter.begins("while it was loaded");
  const auto image = LibraryImage::read(options.path);
  if (!image.ok()) return add_problem(report, image.status());
  const auto plugin = open_library((*image)->fd(), options.path);
  if (!plugin.ok()) return add_problem(report, plugin.status());
  const PluginFacts facts = facts_of(**plugin);
  const json schema = facts.config_schema ? json::parse(*facts.config_schema, nullptr, false) : json();
  describe(facts, schema, report);
  const auto source = source_of(options, facts.name);
  if (!source.ok()) return add_problem(report, source.status());
  if (!source->text.empty()) report["configuration"] = source->name;
  report["settings"] = list_settings(schema, json::parse(source->text, nullptr, false, true));
  reporter.begins("while its configuration was read");
  auto config = read_config(*source, facts.config_schema ? facts.config_schema->c_str() : nullptr);
  if (!config.ok()) return add_problem(report, config.status());
  report["warnings"] = config->warnings;
  report["isolated"] = config->limits.isolated;
  reporter.begins("while it was started");
  InProcess backend(**plugin);
  const absl::Status started = backend.start({config->text, books, config->limits, [](bool) {}});
  if (!started.ok()) return add_problem(report, started);
  reporter.begins("while it was shut down");
  backend.stop(absl::Now() + options.patience);
}

// What the child has written until it ended, or the time had come.
std::string read_all(int fd, absl::Time until, bool& late) {
  std::string text;
  char chunk[4096];
  while (true) {
    pollfd waiting = {fd, POLLIN, 0};
    const int64_t left = absl::ToInt64Milliseconds(until - absl::Now());
    late = left <= 0;
    if (late) return text;
    if (poll(&waiting, 1, static_cast<int>(left)) <= 0) continue;
    const ssize_t got = read(fd, chunk, sizeof chunk);
    if (got == 0) return text;
    if (got > 0) text.append(chunk, static_cast<size_t>(got));
  }
}

std::string how_it_ended(int status, bool late, absl::Duration patience, const std::string& doing) {
  if (late) return absl::StrCat("did not come back within ", absl::FormatDuration(patience), " ", doing);
  if (WIFSIGNALED(status))
    return absl::StrCat("crashed ", doing, ": ", strsignal(WTERMSIG(status)), " (signal ", WTERMSIG(status), ")");
  return absl::StrCat("ended the process ", doing, ", with exit code ", WEXITSTATUS(status));
}

}  // namespace

json inspect(const InspectOptions& options) {
  json report = {
      {"path", options.path}, {"problems", json::array()}, {"warnings", json::array()}, {"activities", json::array()}};
  const auto finished = [](json all) {
    all["in_order"] = all["problems"].empty();
    return all;
  };
  const Scratch scratch;
  int ends[2];
  if (scratch.path().empty() || pipe(ends) != 0) {
    add_problem(report, absl::UnavailableError("cannot make a scratch folder and a pipe"));
    return finished(report);
  }
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) std::signal(signal, SIG_DFL);
    dup2(STDERR_FILENO, STDOUT_FILENO);  // what the plugin prints is no part of our output
    Reporter reporter(ends[1]);
    look(options, (scratch.path() / "books").string(), report, reporter);
    reporter.ends(report);
    _exit(0);  // destructors of threads that still run are not waited for
  }
  close(ends[1]);
  bool late = false;
  const std::string text = child < 0 ? "" : read_all(ends[0], absl::Now() + options.patience, late);
  close(ends[0]);
  if (late) kill(child, SIGKILL);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  if (!lines.empty()) {
    if (json whole = json::parse(lines.back(), nullptr, false); whole.is_object()) return finished(std::move(whole));
  }
  report["problems"].push_back(absl::StrCat(
      options.path, ": the plugin ",
      how_it_ended(status, late, options.patience, lines.empty() ? "before it was loaded" : lines.back())));
  return finished(report);
}

}  // namespace skald::plugins
