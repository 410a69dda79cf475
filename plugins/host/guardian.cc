#include "plugins/host/guardian.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace skald::plugins {
namespace {

// All whose parent is this process. Who has lost his own has this one, as it is a subreaper.
std::vector<pid_t> children() {
  std::vector<pid_t> found;
  DIR* const processes = opendir("/proc");
  if (processes == nullptr) return found;
  while (const dirent* entry = readdir(processes)) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid <= 0) continue;
    std::ifstream stat("/proc/" + std::string(entry->d_name) + "/stat");
    std::string line;
    std::getline(stat, line);
    const size_t name_end = line.rfind(')');  // it may be called anything
    char state = 0;
    pid_t parent = 0;
    if (name_end == std::string::npos || std::sscanf(line.c_str() + name_end + 1, " %c %d", &state, &parent) != 2)
      continue;
    if (parent == getpid() && state != 'Z') found.push_back(pid);
  }
  closedir(processes);
  return found;
}

// A child's children become ours when it ends: until there is none.
void end_all(pid_t served, int& status) {
  for (;;) {
    for (const pid_t child : children()) kill(child, SIGKILL);
    int how = 0;
    pid_t ended;
    do {
      ended = waitpid(-1, &how, 0);
    } while (ended < 0 && errno == EINTR);
    if (ended < 0) return;
    if (ended == served) status = how;
    while ((ended = waitpid(-1, &how, WNOHANG)) > 0) {
      if (ended == served) status = how;
    }
  }
}

// Until the process has ended, or everything is to.
void watch(const sigset_t& signals, pid_t served, int& status) {
  for (;;) {
    const int signal = sigwaitinfo(&signals, nullptr);
    if (signal == guardian_end_signal()) return;
    if (signal != SIGCHLD) continue;
    int how = 0;
    for (pid_t ended; (ended = waitpid(-1, &how, WNOHANG)) > 0;) {
      if (ended != served) continue;
      status = how;
      return;
    }
  }
}

[[noreturn]] void end_as(int status) {
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    signal(number, SIG_DFL);
    sigset_t it;
    sigemptyset(&it);
    sigaddset(&it, number);
    sigprocmask(SIG_UNBLOCK, &it, nullptr);
    kill(getpid(), number);
  }
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

[[noreturn]] void guard(pid_t served, const sigset_t& signals) {
  prctl(PR_SET_NAME, "skald-guard");
  // The host is to notice when the plugin's process closes its ends.
  for (int fd = 1; fd <= 4; ++fd) close(fd);
  for (int fd = 1; fd <= 2; ++fd) open("/dev/null", O_WRONLY | O_CLOEXEC);
  int status = 0;
  watch(signals, served, status);
  end_all(served, status);
  end_as(status);
}

}  // namespace

int guardian_end_signal() { return SIGRTMIN + 3; }

void begin_guarded() {
  const rlimit no_core = {0, 0};  // what dies in memory of secrets leaves none on the disk
  setrlimit(RLIMIT_CORE, &no_core);
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t signals, before;
  sigfillset(&signals);
  sigprocmask(SIG_BLOCK, &signals, &before);
  prctl(PR_SET_PDEATHSIG, guardian_end_signal());
  const pid_t guardian = getpid();
  const pid_t served = fork();
  if (served < 0) _exit(1);
  if (served > 0) guard(served, signals);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != guardian) _exit(1);
  setpgid(0, 0);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace skald::plugins
