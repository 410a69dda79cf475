#pragma once

#include <pthread.h>
#include <signal.h>

namespace skald::server {

// Blocks the signals that a process that serves listens to, so that one thread can wait for them: SIGINT and SIGTERM,
// which end it, and SIGHUP, which has it reload its plugins. To be called before any thread is made.
inline sigset_t block_signals() {
  signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is an error of its write, not the end of the process
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

}  // namespace skald::server
