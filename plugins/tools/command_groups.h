#pragma once

#include <functional>

#include <CLI/CLI.hpp>

#include "cli/console.h"
#include "cli/outcome.h"

namespace skald::plugins {

// Adds commands to `skald plugin`.
struct PluginCommandAdder {
  CLI::App* group;
  const cli::Console& console;
  int& exit_code;

  // When the command is chosen `body` runs, its sentence goes to stderr, and the exit code is set.
  void complete(CLI::App* command, const char* examples, std::function<cli::Outcome()> body) const;
};

void add_new_command(const PluginCommandAdder& adder);
void add_check_command(const PluginCommandAdder& adder);
void add_run_command(const PluginCommandAdder& adder);

}  // namespace skald::plugins
