#include "tests/unit/store/mysql_holder_process.h"

#include <array>
#include <string>

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace skald::store {
namespace {

void send_line(int to, const std::string& line) {
  const std::string bytes = line + "\n";
  if (write(to, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) perror("write to the holder");
}

}  // namespace

HolderProcess::HolderProcess(const MysqlOptions& options, absl::Duration ttl) {
  std::array<int, 2> input{}, output{};
  if (pipe2(input.data(), O_CLOEXEC) != 0 || pipe2(output.data(), O_CLOEXEC) != 0) perror("pipe");
  posix_spawn_file_actions_t streams;
  posix_spawn_file_actions_init(&streams);
  posix_spawn_file_actions_adddup2(&streams, input[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&streams, output[1], STDOUT_FILENO);
  std::string program = SKALD_LEASE_HOLDER;
  std::array<char*, 2> arguments = {program.data(), nullptr};
  if (posix_spawn(&pid_, program.c_str(), &streams, nullptr, arguments.data(), environ) != 0) perror("spawn");
  posix_spawn_file_actions_destroy(&streams);
  ::close(input[0]);
  ::close(output[1]);
  input_ = input[1];
  output_ = output[0];
  const MysqlAddress& at = options.address;
  send_line(input_, absl::StrCat("mysql://", at.user, ":", at.password, "@", at.host, ":", at.port, "/", at.database));
  send_line(input_, absl::StrCat(absl::ToInt64Milliseconds(ttl)));
}

HolderProcess::~HolderProcess() {
  if (pid_ > 0) kill(true);
  ::close(input_);
  ::close(output_);
}

std::string HolderProcess::begin() { return answer(); }

std::string HolderProcess::ask(const std::string& line) {
  send_line(input_, line);
  return answer();
}

std::string HolderProcess::answer() {
  std::string line;
  for (char byte = 0; read(output_, &byte, 1) == 1 && byte != '\n';) line += byte;
  return line;
}

void HolderProcess::signal(int number) const { ::kill(pid_, number); }

void HolderProcess::kill(bool reap) {
  signal(SIGKILL);
  siginfo_t ignored;
  if (!reap) {
    waitid(P_PID, static_cast<id_t>(pid_), &ignored, WEXITED | WNOWAIT);
    return;
  }
  wait();
}

void HolderProcess::close() {
  ::close(input_);
  input_ = -1;
  wait();
}

void HolderProcess::wait() {
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace skald::store
