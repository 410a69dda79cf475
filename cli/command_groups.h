#pragma once

#include "cli/command.h"

namespace skald::cli {

// Each adds its commands below `group`.
void add_start_command(CLI::App* group, const CommandAdder& adder);
void add_result_command(CLI::App* group, const CommandAdder& adder);
void add_describe_command(CLI::App* group, const CommandAdder& adder);
void add_list_commands(CLI::App* group, const CommandAdder& adder);  // list, count
void add_show_command(CLI::App* group, const CommandAdder& adder);
void add_trace_command(CLI::App* group, const CommandAdder& adder);
void add_query_command(CLI::App* group, const CommandAdder& adder);
void add_steering_commands(CLI::App* group, const CommandAdder& adder);   // signal, cancel, terminate
void add_namespace_commands(CLI::App* group, const CommandAdder& adder);  // register, describe, list, update
void add_decision_commands(CLI::App* group, const CommandAdder& adder);   // list, show, approve, reject

}  // namespace skald::cli
