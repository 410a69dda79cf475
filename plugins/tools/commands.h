#pragma once

#include <CLI/CLI.hpp>

#include "cli/console.h"

namespace skald::plugins {

// Adds `skald plugin new|check|run`, and the hidden `skald plugin serve`, the process of a plugin that is isolated.
// `console` and `exit_code` must live until the command line is parsed. Exit codes: 0, 1 something is wrong with the
// plugin or its activity failed, 2 the command line makes no sense.
void add_plugin_commands(CLI::App& root, const cli::Console& console, int& exit_code);

}  // namespace skald::plugins
