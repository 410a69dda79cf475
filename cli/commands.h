#pragma once

#include <CLI/CLI.hpp>

#include "cli/client.h"
#include "cli/console.h"

namespace skald::cli {

// Adds `skald workflow ...`, `skald namespace ...` and `skald decision ...`, the commands that use nothing but a
// server's public API. `console` and `exit_code` must live until the command line is parsed; the chosen command sets
// the exit code (outcome.h says what it may be). `client` is how calls are made unless options say otherwise.
void add_client_commands(CLI::App& root, const Console& console, int& exit_code, const ClientOptions& client = {});

// Adds `skald --version`.
void add_version_flag(CLI::App& root);

// Parses the arguments, which runs the chosen command. Returns the process's exit code: `exit_code` as the command set
// it, 0 after help or
// the version, 2 with one sentence on stderr if the arguments make no sense.
int parse(CLI::App& root, int argc, const char* const* argv, const Console& console, const int& exit_code);

}  // namespace skald::cli
