#pragma once

namespace skald::plugins {

// The process of one isolated plugin: speaks isolation.proto with its host over the socket `fd`, and ends with it. Does
// not return before the plugin has been shut down; the result is the process's exit code. To be called early in a
// process that has one thread.
int serve_isolated(int fd);

// The N of a command line that is exactly "… plugin serve --fd N", else -1.
int isolation_argument(int argc, const char* const* argv);

}  // namespace skald::plugins
