#pragma once

#include <string>
#include <vector>

#include <absl/time/time.h>
#include <sys/types.h>

namespace skald::demo {

// A server in a process of its own, so that its memory and its start can be measured. Killed with the object. Errors
// are std::runtime_error.
class ServerProcess {
 public:
  // Returns when the server says that it is serving. What it logs goes to the end of `log_path` (empty: to our own
  // standard error).
  explicit ServerProcess(const std::vector<std::string>& command, const std::string& log_path = "");
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // kill -9.
  void kill();

  const std::string& address() const { return address_; }
  absl::Duration time_to_serving() const { return time_to_serving_; }
  // Of all threads, since the start.
  absl::Duration cpu() const;
  // VmRSS and VmHWM.
  double resident_mb() const;
  double peak_mb() const;

 private:
  double status_mb(const std::string& field) const;

  pid_t pid_ = -1;
  int output_ = -1;
  std::string address_;
  absl::Duration time_to_serving_;
};

}  // namespace skald::demo
