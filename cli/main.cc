// The one binary: `skald server` and the client commands.
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "engine/server/commands.h"
#include "plugins/host/serve.h"
#include "plugins/tools/commands.h"

int main(int argc, char** argv) {
  // The process of an isolated plugin, which an order may be waiting for.
  if (const int fd = skald::plugins::isolation_argument(argc, argv); fd >= 0) return skald::plugins::serve_isolated(fd);
  CLI::App app{"Skald: durable workflows and sagas behind Temporal's API", "skald"};
  app.require_subcommand(1);
  skald::cli::add_version_flag(app);
  app.set_config("--config", "", "TOML file with options, in a section named after the command, such as [server]");
  app.allow_config_extras(CLI::config_extras_mode::error);
  int exit_code = 0;
  const skald::cli::Console console = skald::cli::system_console();
  skald::server::add_server_command(app, exit_code);
  skald::server::add_worker_command(app, exit_code);
  skald::server::add_store_commands(app, exit_code);
  skald::plugins::add_plugin_commands(app, console, exit_code);
  skald::cli::add_client_commands(app, console, exit_code);
  return skald::cli::parse(app, argc, argv, console, exit_code);
}
