// `skald plugin run`
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "cli/command.h"
#include "engine/base/text.h"
#include "plugins/tools/command_groups.h"
#include "plugins/tools/crash_notice.h"
#include "plugins/tools/inspect.h"
#include "plugins/tools/scratch.h"
#include "plugins/tools/trial.h"

namespace skald::plugins {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using temporal::api::common::v1::Payloads;
using temporal::api::failure::v1::Failure;

struct RunArguments {
  std::string path, activity, input, config, books;
  std::string namespace_name = "default", workflow_id = "trial";
  absl::Duration timeout = absl::Seconds(30);
  int attempts = 1, times = 1;
};

// The input as JSON; from a file when it is @FILE.
cli::Outcome read_input(std::string& input) {
  if (!input.empty() && input.front() == '@') {
    std::ifstream in(input.substr(1), std::ios::binary);
    if (!in) return cli::misused("cannot read the input file " + input.substr(1));
    input.assign(std::istreambuf_iterator<char>(in), {});
  }
  if (!input.empty() && !json::accept(input))
    return cli::misused("the input is not JSON; write --input '{\"key\": 1}', or --input @FILE");
  return {};
}

std::string lines_of(const json& sentences) {
  std::string all;
  for (const json& sentence : sentences) all += (all.empty() ? "" : "\n") + sentence.get<std::string>();
  return all;
}

// The activity as a server would call it.
cli::Outcome find_activity(const json& report, std::string& activity) {
  const std::string prefix = report["name"].get<std::string>() + ".";
  if (activity.rfind(prefix, 0) != 0) activity = prefix + activity;
  std::string known;
  for (const json& each : report["activities"]) {
    const std::string name = each["name"];
    if (prefix + name == activity) return {};
    known += (known.empty() ? "" : ", ") + name;
  }
  return cli::misused("there is no activity " + activity + "; there are: " + known);
}

json failure_json(const Failure& failure) {
  const auto& info = failure.application_failure_info();
  json out = {{"type", failure.has_timeout_failure_info() ? "Timeout" : info.type()},
              {"message", failure.message()},
              {"non_retryable", info.non_retryable()}};
  if (info.details().payloads_size() > 0) {
    const json details = json::parse(info.details().payloads(0).data(), nullptr, false);
    out["details"] = details.is_discarded() ? json(info.details().payloads(0).data()) : details;
  }
  return {{"failure", std::move(out)}};
}

// Prints what became of it; whether that was a result.
bool print(const worker::ActivityOutcome& outcome, const cli::Console& console) {
  if (const auto* payloads = std::get_if<Payloads>(&outcome)) {
    console.out << (payloads->payloads_size() == 0 ? "null" : payloads->payloads(0).data()) << "\n";
    return true;
  }
  const auto* failure = std::get_if<Failure>(&outcome);
  console.out << (failure == nullptr ? json{{"cancelled", true}} : failure_json(*failure))
                     .dump(-1, ' ', false, json::error_handler_t::replace)
              << "\n";
  return false;
}

// A host of this one plugin, in a folder of its own where nothing but it is.
absl::StatusOr<std::unique_ptr<PluginHost>> load_alone(const RunArguments& given, const json& report,
                                                       const fs::path& scratch) {
  const std::string name = report["name"];
  const fs::path folder = scratch / "plugin";
  std::error_code code;
  fs::create_directories(folder, code);
  fs::create_symlink(fs::absolute(given.path), folder / (name + ".so"), code);
  const fs::path books = given.books.empty() ? scratch : fs::absolute(given.books);
  if (!code) fs::create_directories(books, code);
  if (code) return absl::UnavailableError("cannot make the folder " + books.string() + ": " + code.message());
  PluginHostOptions options;
  options.folder = folder.string();
  options.data_path = (books / "books").string();
  options.strict = true;
  options.stop_grace = absl::Seconds(2);
  const std::string config = given.config.empty() ? report.value("configuration", "") : given.config;
  options.config[name] = config.empty() ? "" : "file:" + config;
  return PluginHost::load(std::move(options));
}

cli::Outcome run_plugin(RunArguments& given, const cli::Console& console) {
  if (auto outcome = read_input(given.input); !outcome.ok()) return outcome;
  const json report = inspect({.path = given.path, .config = given.config});
  if (report["in_order"] != true) return cli::failed(lines_of(report["problems"]));
  if (auto outcome = find_activity(report, given.activity); !outcome.ok()) return outcome;
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("skald", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  const Scratch scratch;
  auto host = load_alone(given, report, scratch.path());
  if (!host.ok()) return cli::failed(std::string(base::text(host.status())));
  const Trial trial{given.activity,    given.input,   given.namespace_name,
                    given.workflow_id, given.timeout, given.attempts};
  static const std::string crash = "skald: " + given.activity +
                                   " crashed, and would crash a server: \"isolation\": \"process\" in the plugin's " +
                                   "configuration keeps that from it\n";
  announce_crash(crash);
  bool good = true;
  for (int time = 0; time < given.times; ++time) {
    good &= print(run_trial(**host, trial), console);
    console.out.flush();
  }
  (*host)->stop(absl::Seconds(2));
  return {good ? cli::ExitCode::kOk : cli::ExitCode::kFailed, ""};
}

}  // namespace

void add_run_command(const PluginCommandAdder& adder) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* command = adder.group->add_subcommand("run", "Run one activity of a plugin, without a server");
  command->add_option("PLUGIN", arguments->path, "The plugin (*.so)")->required()->check(CLI::ExistingFile);
  command->add_option("ACTIVITY", arguments->activity, "The activity, with or without the plugin's name")->required();
  command->add_option("-i,--input", arguments->input, "Its argument")->type_name("JSON|@FILE");
  command->add_option("--config", arguments->config, "The configuration, instead of <plugin>.json beside the plugin")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  command->add_option("--attempts", arguments->attempts, "Try again after a failure, up to so many attempts")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000));
  command->add_option("--times", arguments->times, "Ask for the same again, under the same ids: it must happen once")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  command
      ->add_option("--books", arguments->books, "Folder of the plugin's books, kept (by default they are thrown away)")
      ->type_name("DIR");
  command->add_option("--workflow-id", arguments->workflow_id, "The workflow that asks for it")->capture_default_str();
  command->add_option("-n,--namespace", arguments->namespace_name, "The workflow's namespace")->capture_default_str();
  cli::add_duration(command, "--timeout", arguments->timeout, "Of one attempt, start to close (30s)");
  adder.complete(command,
                 "  skald plugin run plugins/loyalty.so wish --input '{\"wish_id\": \"w-1\", \"article\": \"tea\", "
                 "\"quantity\": 3}' --times 2\n"
                 "  skald plugin run plugins/loyalty.so greet --input @input.json --attempts 3 --books books",
                 [arguments, console = &adder.console] { return run_plugin(*arguments, *console); });
}

}  // namespace skald::plugins
