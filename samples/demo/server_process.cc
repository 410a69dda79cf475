#include "samples/demo/server_process.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/time/clock.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace skald::demo {
namespace {

constexpr char kServing[] = "serving on ";

}  // namespace

ServerProcess::ServerProcess(const std::vector<std::string>& command, const std::string& log_path) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("cannot make a pipe");
  const absl::Time began = absl::Now();
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ends[1], STDOUT_FILENO);
    const int log = log_path.empty() ? -1 : open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (log >= 0) dup2(log, STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  ::close(ends[1]);
  output_ = ends[0];
  std::string said;
  char byte = 0;
  while (read(output_, &byte, 1) == 1) {
    if (byte != '\n') {
      said.push_back(byte);
      continue;
    }
    const size_t at = said.find(kServing);
    if (at != std::string::npos) {
      time_to_serving_ = absl::Now() - began;
      address_ = said.substr(at + sizeof(kServing) - 1);
      address_ = address_.substr(0, address_.find(' '));
      return;
    }
    said.clear();
  }
  throw std::runtime_error("the server did not start" + (log_path.empty() ? "" : "; " + log_path + " says why"));
}

ServerProcess::~ServerProcess() { kill(); }

void ServerProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  ::close(output_);
  pid_ = -1;
}

absl::Duration ServerProcess::cpu() const {
  std::ifstream file(absl::StrCat("/proc/", pid_, "/stat"));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string word;
  long user = 0, system = 0;
  for (int i = 0; i < 11; ++i) fields >> word;
  fields >> user >> system;
  return absl::Seconds(static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK)));
}

double ServerProcess::resident_mb() const { return status_mb("VmRSS:"); }
double ServerProcess::peak_mb() const { return status_mb("VmHWM:"); }

double ServerProcess::status_mb(const std::string& field) const {
  std::ifstream file(absl::StrCat("/proc/", pid_, "/status"));
  for (std::string word; file >> word;) {
    double kilobytes = 0;
    if (word == field && file >> kilobytes) return kilobytes / 1024;
  }
  throw std::runtime_error("the server is gone");
}

}  // namespace skald::demo
