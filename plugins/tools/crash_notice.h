#pragma once

#include <csignal>
#include <string>

#include <unistd.h>

namespace skald::plugins {

// From now on a sentence goes to standard error when the process crashes. `sentence` lives as long as the process.
inline void announce_crash(const std::string& sentence) {
  static const char* text = nullptr;
  static size_t size = 0;
  text = sentence.data();
  size = sentence.size();
  struct sigaction notice {};
  notice.sa_flags = static_cast<int>(SA_RESETHAND);
  notice.sa_handler = [](int signal) {
    if (::write(STDERR_FILENO, text, size) < 0) _exit(1);
    raise(signal);  // as it would have ended
  };
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigaction(signal, &notice, nullptr);
}

}  // namespace skald::plugins
