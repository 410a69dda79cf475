#pragma once

#include <sys/resource.h>

namespace skald::server {

// As many open files as this process may have: each client, each call of a plugin's and each of the store's files is one,
// and the usual limit is 1024. Children inherit it.
inline void allow_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace skald::server
