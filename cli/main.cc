// The one binary: `skald server` and the client commands.
#include <CLI/CLI.hpp>

#include "engine/server/commands.h"

int main(int argc, char** argv) {
  CLI::App app{"Skald: durable workflows and sagas behind Temporal's API", "skald"};
  app.require_subcommand(1);
  int exit_code = 0;
  skald::server::add_server_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version are no errors; everything else is a mistake in the call.
    return app.exit(error) == 0 ? 0 : 2;
  }
  return exit_code;
}
