#pragma once

#include <cstdint>

#include <absl/status/statusor.h>

namespace skald::plugin::v1 {
class Confinement;
}

namespace skald::plugins {

// Takes from this process what the plugin's code is not to have: its user, groups and capabilities, files, the way to
// more of any. For good; before there is a second thread. Returns whether the kernel hides the files.
absl::StatusOr<bool> confine(const plugin::v1::Confinement& to);

// How many files the process may have open, and how many processes and threads its user may have; of what is allowed
// already it takes no more than there is. For good.
void limit_files(int64_t most);
void limit_processes(int64_t most);

}  // namespace skald::plugins
