#include "plugins/tools/commands.h"

#include <memory>
#include <utility>

#include "plugins/host/serve.h"
#include "plugins/tools/command_groups.h"

namespace skald::plugins {

void PluginCommandAdder::complete(CLI::App* command, const char* examples, std::function<cli::Outcome()> body) const {
  command->footer(std::string("Examples:\n") + examples);
  command->callback([this_console = &console, code = &exit_code, body = std::move(body)] {
    cli::Outcome outcome = body();
    if (cli::Outcome written = this_console->finish(); outcome.ok()) outcome = std::move(written);
    if (!outcome.sentence.empty()) this_console->err << "skald: " << cli::printable(outcome.sentence) << std::endl;
    *code = static_cast<int>(outcome.code);
  });
}

namespace {

// Hosts start this themselves.
void add_serve_command(CLI::App* group, int& exit_code) {
  auto fd = std::make_shared<int>(-1);
  CLI::App* command = group->add_subcommand("serve", "")->group("");
  command->add_option("--fd", *fd, "")->required();
  command->callback([fd, &exit_code] { exit_code = serve_isolated(*fd); });
}

}  // namespace

void add_plugin_commands(CLI::App& root, const cli::Console& console, int& exit_code) {
  CLI::App* group = root.add_subcommand("plugin", "Begin, check and try out plugins, without a server");
  group->require_subcommand(1);
  const PluginCommandAdder adder{group, console, exit_code};
  add_new_command(adder);
  add_check_command(adder);
  add_run_command(adder);
  add_serve_command(group, exit_code);
}

}  // namespace skald::plugins
