#pragma once

#include "cli/command.h"

namespace skald::cli {

// Each adds its commands below `group`.
void add_start_command(CLI::App* group, const CommandAdder& adder);
void add_result_command(CLI::App* group, const CommandAdder& adder);
void add_describe_command(CLI::App* group, const CommandAdder& adder);
void add_list_commands(CLI::App* group, const CommandAdder& adder);  // list, count
void add_show_command(CLI::App* group, const CommandAdder& adder);

}  // namespace skald::cli
