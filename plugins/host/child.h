#pragma once

#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <sys/types.h>

namespace skald::plugins {

// A process that runs `command` with "--fd 3" added: file descriptor 3 is its end of a socket pair, 4 is `library`,
// what it writes to its standard output and error comes out of output(), and it inherits nothing else. It is a guardian
// (guardian.h): what it has started ends with it. It is ended and waited for by the destructor. Not thread-safe.
class Child {
 public:
  static absl::StatusOr<std::unique_ptr<Child>> spawn(const std::vector<std::string>& command, int library);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int socket() const { return socket_; }  // does not block
  int output() const { return output_; }  // does not block
  int exited() const { return exited_; }  // can be read once it has ended
  // The process that it guards, once that has told.
  void set_guarded(pid_t pid);
  pid_t guarded() const { return guarded_; }
  int64_t resident_bytes() const;  // of the guarded; 0 when it cannot be told
  void kill();
  // How it ended, as "was ended by signal 11 (SIGSEGV)". Waits for its end.
  std::string wait();

 private:
  Child(pid_t pid, int socket, int output);
  const pid_t pid_;
  const int socket_, output_;
  const int exited_;
  pid_t guarded_ = 0;
  int statm_ = -1;
  bool waited_ = false;
};

}  // namespace skald::plugins
