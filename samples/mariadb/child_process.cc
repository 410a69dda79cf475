#include "samples/mariadb/child_process.h"

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace skald::samples {
namespace {

constexpr char kServersFolders[] = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin";

// Between fork and exec only what is safe in a child of a process with threads.
[[noreturn]] void become(char* const* arguments, int input, int log, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  dup2(input, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  close_range(STDERR_FILENO + 1, ~0U, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  setpgid(0, 0);  // a Ctrl-C at the terminal is for the parent, which then stops this in order
  execv(arguments[0], arguments);
  _exit(127);
}

}  // namespace

absl::StatusOr<pid_t> spawn(const std::vector<std::string>& command, const std::string& input, const std::string& log) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int in = open(input.c_str(), O_RDONLY | O_CLOEXEC);
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const pid_t parent = getpid();
  const pid_t pid = in < 0 || out < 0 ? -1 : fork();
  if (pid == 0) become(arguments.data(), in, out, parent);
  const std::error_code reason(errno, std::generic_category());
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  if (pid < 0) return absl::FailedPreconditionError(absl::StrCat("cannot start ", command[0], ": ", reason.message()));
  return pid;
}

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  const std::string folders = absl::StrCat(path == nullptr ? "" : path, ":", kServersFolders);
  for (const absl::string_view folder : absl::StrSplit(folders, ':', absl::SkipEmpty())) {
    std::string file = absl::StrCat(folder, "/", name);
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return "";
}

}  // namespace skald::samples
