#pragma once

#include <pthread.h>
#include <signal.h>

namespace skald::server {

// Blocks the signals that end a process that serves, SIGINT and SIGTERM, so that one thread can wait for them. To be
// called before any thread is made.
inline sigset_t block_ending_signals() {
  signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is an error of its write, not the end of the process
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

}  // namespace skald::server
