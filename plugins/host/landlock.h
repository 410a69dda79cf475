#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>

namespace skald::plugins {

// Takes from this process, its threads and all that it will start, for good, the files whose paths begin like one of
// `hidden` (a path, so that "data/skald.sqlite" hides its journals too), but for what is in `own`, a folder, or "". It
// cannot read, write, replace or remove them, nor make others of their names; nor can it trace or signal a process
// outside. In the folders that lead to a hidden file only what is there already can be opened, and nothing be made.
// Works for any user. UNIMPLEMENTED where the kernel does not know how. Before there is a second thread.
absl::Status hide_files(const std::vector<std::string>& hidden, const std::string& own);

}  // namespace skald::plugins
