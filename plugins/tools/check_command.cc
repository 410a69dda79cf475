// `skald plugin check`
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/json_output.h"
#include "cli/table.h"
#include "plugins/tools/command_groups.h"
#include "plugins/tools/inspect.h"

namespace skald::plugins {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kLongestDefault = 40;

struct CheckArguments {
  std::string path, config, output = "table";
};

std::string text_of(const json& value) {
  return cli::one_line(value.is_string() ? value.get<std::string>() : value.dump(), kLongestDefault);
}

void print_activities(const cli::Console& console, const json& report) {
  std::vector<cli::Row> rows;
  for (const json& activity : report["activities"]) {
    const std::string step = activity.value("step", ""), undoes = activity.value("undoes", "");
    rows.push_back({report["name"].get<std::string>() + "." + activity["name"].get<std::string>(),
                    activity.value("kind", ""), step, undoes});
  }
  if (!rows.empty()) cli::print_table(console, {"ACTIVITY", "KIND", "STEP", "UNDOES"}, rows, 2);
}

void print_settings(const cli::Console& console, const json& report) {
  std::vector<cli::Row> rows;
  for (const json& setting : report.value("settings", json::array())) {
    std::string marks;
    const auto mark = [&](const char* word) {
      if (setting[word] == true) marks += (marks.empty() ? "" : ", ") + std::string(word);
    };
    mark("required"), mark("secret"), mark("given");
    rows.push_back({setting["key"].get<std::string>(), setting["type"].get<std::string>(),
                    setting.contains("default") ? text_of(setting["default"]) : "", marks,
                    setting.value("description", "")});
  }
  if (!rows.empty()) cli::print_table(console, {"SETTING", "TYPE", "DEFAULT", "", ""}, rows, 2);
}

void print_report(const cli::Console& console, const json& report) {
  const bool in_order = report["in_order"] == true;
  console.out << report["path"].get<std::string>() << ": ";
  if (report.contains("name"))
    console.out << report["name"].get<std::string>() << " " << cli::one_line(report["version"].get<std::string>())
                << ", ";
  console.out << console.paint(in_order ? cli::Colour::kGreen : cli::Colour::kRed,
                               in_order ? "in order" : "not in order")
              << "\n";
  for (const json& problem : report["problems"])
    console.out << "  " << console.paint(cli::Colour::kRed, cli::one_line(problem.get<std::string>())) << "\n";
  for (const json& warning : report["warnings"])
    console.out << "  " << console.paint(cli::Colour::kYellow, cli::one_line(warning.get<std::string>())) << "\n";
  if (!report.contains("name")) return;
  console.out << "\n";
  print_activities(console, report);
  console.out << "\n";
  print_settings(console, report);
  const std::string file = report.value("configuration", "");
  console.out << "\n  "
              << (file.empty()
                      ? "no configuration: there is no " + report["name"].get<std::string>() + ".json beside it"
                      : "configuration: " + file)
              << (report.value("isolated", false) ? ", in a process of its own" : "") << "\n";
}

cli::Outcome check_plugin(const CheckArguments& given, const cli::Console& console) {
  std::vector<std::string> files;
  std::error_code code;
  if (fs::is_directory(given.path, code)) {
    for (const auto& item : fs::directory_iterator(given.path, code)) {
      if (item.path().extension() == ".so") files.push_back(item.path().string());
    }
    std::sort(files.begin(), files.end());
    if (files.empty()) return cli::failed("there is no plugin (*.so) in " + given.path);
    if (files.size() > 1 && !given.config.empty()) return cli::misused("--config is for one plugin, not for a folder");
  } else {
    files.push_back(given.path);
  }
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  size_t wrong = 0;
  for (const std::string& file : files) {
    const json report = inspect({.path = file, .config = given.config});
    if (report["in_order"] != true) ++wrong;
    if (given.output == "json") {
      all.push_back(nlohmann::ordered_json(report));
    } else {
      if (&file != &files.front()) console.out << "\n";
      print_report(console, report);
    }
  }
  if (given.output == "json") cli::print_json(console, all);
  if (wrong == 0) return {};
  return cli::failed(files.size() == 1
                         ? "the plugin is not in order"
                         : std::to_string(wrong) + " of " + std::to_string(files.size()) + " plugins are not in order");
}

}  // namespace

void add_check_command(const PluginCommandAdder& adder) {
  auto arguments = std::make_shared<CheckArguments>();
  CLI::App* command = adder.group->add_subcommand(
      "check", "Load and start plugins apart, and tell what they are and what is wrong with them");
  command->add_option("PLUGIN", arguments->path, "A plugin (*.so), or a folder of them")
      ->required()
      ->check(CLI::ExistingPath);
  command->add_option("--config", arguments->config, "Its configuration, instead of <plugin>.json beside it")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  command->add_option("-o,--output", arguments->output, "table for people, json for programs")
      ->capture_default_str()
      ->check(CLI::IsMember({"table", "json"}));
  adder.complete(command, "  skald plugin check plugins/loyalty.so\n  skald plugin check build/plugins -o json",
                 [arguments, console = &adder.console] { return check_plugin(*arguments, *console); });
}

}  // namespace skald::plugins
