#include "plugins/host/child.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/host/guardian.h"

namespace skald::plugins {
namespace {

constexpr int kFirstFree = 16;  // file descriptors from here on cannot be in the way of those that the child gets

absl::Status failed(const char* step, int error) {
  return absl::UnavailableError(absl::StrCat("cannot start the plugin's process: ", step, ": ", std::strerror(error)));
}

// A file descriptor that is closed at the end, and not inherited.
struct Owned {
  int fd = -1;
  ~Owned() { reset(-1); }
  void reset(int other) {
    if (fd >= 0) close(fd);
    fd = other;
  }
  int release() { return std::exchange(fd, -1); }
  bool lift() {
    const int high = fcntl(fd, F_DUPFD_CLOEXEC, kFirstFree);
    if (high >= 0) reset(high);
    return high >= 0;
  }
};

struct Actions {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  Actions() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~Actions() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }

  // A group of its own: keys pressed at the host's terminal are for the host.
  void plan(int socket, int library, int output) {
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, 1);
    posix_spawn_file_actions_adddup2(&files, output, 2);
    posix_spawn_file_actions_adddup2(&files, socket, 3);
    posix_spawn_file_actions_adddup2(&files, library, 4);
    posix_spawn_file_actions_addclosefrom_np(&files, 5);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
};

// What programs need to run at all. The rest may hold secrets of the host and of other plugins.
bool is_for_children(std::string_view variable) {
  static constexpr std::string_view kPassed[] = {"PATH",
                                                 "HOME",
                                                 "USER",
                                                 "LANG",
                                                 "TZ",
                                                 "TMPDIR",
                                                 "LD_LIBRARY_PATH",
                                                 "SSL_CERT_FILE",
                                                 "SSL_CERT_DIR",
                                                 "ASAN_OPTIONS",
                                                 "LSAN_OPTIONS",
                                                 "MSAN_OPTIONS",
                                                 "TSAN_OPTIONS",
                                                 "UBSAN_OPTIONS"};
  const std::string_view name = variable.substr(0, variable.find('='));
  return name.starts_with("LC_") || std::find(std::begin(kPassed), std::end(kPassed), name) != std::end(kPassed);
}

std::vector<char*> environment_of_child() {
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (is_for_children(*variable)) variables.push_back(*variable);
  }
  variables.push_back(nullptr);
  return variables;
}

std::string signal_text(int number) {
  const char* const name = sigabbrev_np(number);
  return absl::StrCat("was ended by signal ", number, name == nullptr ? "" : absl::StrCat(" (SIG", name, ")"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Child>> Child::spawn(const std::vector<std::string>& command, int library) {
  int pair[2], output[2];
  Owned mine, theirs, read_end, write_end, image;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return failed("socketpair", errno);
  mine.reset(pair[0]), theirs.reset(pair[1]);
  if (pipe2(output, O_CLOEXEC) != 0) return failed("pipe", errno);
  read_end.reset(output[0]), write_end.reset(output[1]);
  image.reset(fcntl(library, F_DUPFD_CLOEXEC, kFirstFree));
  if (image.fd < 0 || !theirs.lift() || !write_end.lift()) return failed("file descriptors", errno);
  fcntl(mine.fd, F_SETFL, O_NONBLOCK);
  fcntl(read_end.fd, F_SETFL, O_NONBLOCK);

  Actions actions;
  actions.plan(theirs.fd, image.fd, write_end.fd);
  const std::string file = command.front();
  std::vector<std::string> words = command;
  if (file == "/proc/self/exe") words.front() = program_invocation_name;  // as people know it
  words.insert(words.end(), {"--fd", "3"});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<char*> environment = environment_of_child();
  pid_t pid = 0;
  if (const int error =
          posix_spawn(&pid, file.c_str(), &actions.files, &actions.attributes, arguments.data(), environment.data());
      error != 0)
    return failed(file.c_str(), error);
  return std::unique_ptr<Child>(new Child(pid, mine.release(), read_end.release()));
}

Child::Child(pid_t pid, int socket, int output)
    : pid_(pid),
      socket_(socket),
      output_(output),
      exited_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}

Child::~Child() {
  kill();
  wait();
  close(socket_);
  close(output_);
  if (statm_ >= 0) close(statm_);
  if (exited_ >= 0) close(exited_);
}

void Child::set_guarded(pid_t pid) {
  guarded_ = pid;
  if (statm_ < 0) statm_ = open(absl::StrCat("/proc/", pid, "/statm").c_str(), O_RDONLY | O_CLOEXEC);
}

int64_t Child::resident_bytes() const {
  char text[128] = "";
  if (statm_ < 0 || pread(statm_, text, sizeof text - 1, 0) <= 0) return 0;
  const char* const second = std::strchr(text, ' ');
  return second == nullptr ? 0 : std::strtoll(second, nullptr, 10) * sysconf(_SC_PAGESIZE);
}

// With all that it has started.
void Child::kill() {
  if (!waited_) ::kill(pid_, guardian_end_signal());
}

std::string Child::wait() {
  if (waited_) return "has ended";
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) {
      status = 0;
      break;
    }
  }
  waited_ = true;
  if (WIFSIGNALED(status)) return signal_text(WTERMSIG(status));
  return absl::StrCat("ended with exit code ", WEXITSTATUS(status));
}

}  // namespace skald::plugins
