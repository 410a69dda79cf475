#pragma once

#include <string>

#include <sys/types.h>

namespace skald::bench {

// A service in a process of its own that answers each request after a while: one thread, whatever waits.
class SlowServer {
 public:
  explicit SlowServer(int delay_ms);  // forks: before the caller has threads
  ~SlowServer();                      // ends it
  SlowServer(const SlowServer&) = delete;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  pid_t child_;
  int port_;
};

}  // namespace skald::bench
