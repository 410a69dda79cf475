#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <sys/types.h>

namespace skald::samples {

// Runs a program that dies with the thread that called this (PR_SET_PDEATHSIG), with nothing open but its standard
// streams: its input is the file `input`, output and errors go to the end of the file `log`. command[0] is a path.
absl::StatusOr<pid_t> spawn(const std::vector<std::string>& command, const std::string& input, const std::string& log);

// The path of an executable, looked for in PATH and in the folders where servers lie; empty if there is none.
std::string find_program(const std::string& name);

}  // namespace skald::samples
