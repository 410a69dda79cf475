#pragma once

#include <csignal>

#include <sys/types.h>

namespace skald::plugins {

// What has a guardian end everything. No other sends it: those that systems send to all processes are the host's affair.
int guardian_end_signal();

// Forks: returns in the new process, and this one keeps watch over it and all that it will start, whatever becomes of
// their groups and sessions. Once that process has ended, or its host has, or is asked by guardian_end_signal(), nothing
// of them is left, and this one ends as that one did. Before there is a second thread.
void begin_guarded();

}  // namespace skald::plugins
