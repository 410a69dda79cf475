#pragma once

#include <CLI/CLI.hpp>

namespace skald::server {

// Adds `skald server` to the command line. When it is chosen it runs until SIGINT or SIGTERM; `exit_code` is then the
// process's.
void add_server_command(CLI::App& root, int& exit_code);

// Adds `skald worker` likewise.
void add_worker_command(CLI::App& root, int& exit_code);

// Adds `skald store check` and `skald store copy`, which work on the data of a stopped server.
void add_store_commands(CLI::App& root, int& exit_code);

}  // namespace skald::server
