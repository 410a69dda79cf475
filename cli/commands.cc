#include "cli/commands.h"

#include <sstream>

#include <fmt/format.h>

#include "cli/command_groups.h"
#include "cli/outcome.h"
#include "engine/base/version.h"

namespace skald::cli {
namespace {

// The command that the arguments had come to, as one types it: `skald workflow start`.
std::string chosen(const CLI::App& root) {
  std::string path = root.get_name();
  const CLI::App* command = &root;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    path += " " + command->get_name();
  }
  return path;
}

std::string mistake(const CLI::ParseError& error) {
  std::string text = one_line(error.what());
  while (!text.empty() && (text.back() == '.' || text.back() == ' ')) text.pop_back();
  return text;
}

// An argument that may be given by its place or by its name is explained at its place.
class HelpText : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    if (is_positional || !option->get_positional()) return CLI::Formatter::make_option(option, is_positional);
    std::ostringstream line;
    const std::string place = option->get_name(true, false);
    CLI::detail::format_help(line, make_option_name(option, false) + " " + place,
                             fmt::format("The same as {}, by name", place), column_width_);
    return line.str();
  }
};

}  // namespace

void add_client_commands(CLI::App& root, const Console& console, int& exit_code, const ClientOptions& client) {
  const CommandAdder adder{console, exit_code, client};
  CLI::App* workflow = root.add_subcommand("workflow", "Start, follow and steer workflows on any server of this API");
  const auto help = std::make_shared<HelpText>();
  workflow->formatter(help)->require_subcommand(1);
  add_start_command(workflow, adder);
  add_result_command(workflow, adder);
  add_describe_command(workflow, adder);
  add_list_commands(workflow, adder);
  add_show_command(workflow, adder);
  add_trace_command(workflow, adder);
  add_query_command(workflow, adder);
  add_steering_commands(workflow, adder);
  CLI::App* namespaces = root.add_subcommand("namespace", "Make, change and list namespaces");
  namespaces->formatter(help)->require_subcommand(1);
  add_namespace_commands(namespaces, adder);
  CLI::App* decisions = root.add_subcommand("decision", "See what agents decided and why, and answer what they ask");
  decisions->formatter(help)->require_subcommand(1);
  add_decision_commands(decisions, adder);
}

void add_version_flag(CLI::App& root) {
  root.set_version_flag("--version", fmt::format("skald {}", base::kVersion), "Print the version");
}

int parse(CLI::App& root, int argc, const char* const* argv, const Console& console, const int& exit_code) {
  try {
    root.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      root.exit(error, console.out, console.err);
      if (error.get_name() != "CallForVersion") console.out << '\n';
      const Outcome written = console.finish();
      if (!written.ok()) console.err << "skald: " << written.sentence << std::endl;
      return static_cast<int>(written.code);
    }
    console.err << fmt::format("skald: {}; see `{} --help`\n", mistake(error), chosen(root));
    return static_cast<int>(ExitCode::kUsage);
  }
  return exit_code;
}

}  // namespace skald::cli
