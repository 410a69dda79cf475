#include "samples/mariadb/private_mariadb.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/time/clock.h>
#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/random.h"
#include "samples/mariadb/child_process.h"

namespace skald::samples {
namespace {

// Below the ports that the system gives to outgoing connections: while the server is away, nobody else gets its port.
constexpr int kFirstPort = 20'000;
constexpr int kPorts = 12'000;
constexpr int kPortAttempts = 20;
constexpr absl::Duration kStartLimit = absl::Minutes(2);  // a recovery after a crash included
constexpr int kStopLimitMs = 60'000;
constexpr int kPollMs = 20;
constexpr size_t kLastWords = 6;  // lines
constexpr char kMissing[] = "MariaDB is not installed: apt-get install mariadb-server-core";
constexpr std::array kScripts = {"mysql_system_tables.sql", "mysql_performance_tables.sql",
                                 "mysql_system_tables_data.sql"};
constexpr char kPortTaken[] = "Address already in use";

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool is_free(uint16_t port) {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool free = bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(probe);
  return free;
}

// The server speaks first, and only when it is ready and its init file is done.
bool greets(uint16_t port) {
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  char byte = 0;
  pollfd readable{connection, POLLIN, 0};
  const bool greeted = connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
                       poll(&readable, 1, 1000) == 1 && read(connection, &byte, 1) == 1;
  close(connection);
  return greeted;
}

// What both the installation and the server are told. The option file must be refused first.
std::vector<std::string> common_options(const std::string& folder) {
  std::vector<std::string> options = {"--no-defaults", "--datadir=" + folder + "/data", "--skip-name-resolve",
                                      "--innodb-log-file-size=64M"};
  if (geteuid() == 0) options.push_back("--user=root");
  return options;
}

std::string find_scripts() {
  for (const char* folder : {"/usr/share/mysql", "/usr/share/mariadb", "/usr/local/share/mysql"}) {
    std::error_code none;
    if (std::filesystem::exists(absl::StrCat(folder, "/", kScripts[0]), none)) return folder;
  }
  return "";
}

absl::Status make_folder(std::string& folder) {
  std::error_code error;
  if (folder.empty()) {
    folder = (std::filesystem::temp_directory_path(error) / "skald-mariadb-XXXXXX").string();
    if (mkdtemp(folder.data()) != nullptr) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("cannot make a scratch folder ", folder, "; set TMPDIR"));
  }
  folder = std::filesystem::absolute(folder, error).string();
  std::filesystem::create_directories(folder, error);
  if (error) return absl::FailedPreconditionError(absl::StrCat("cannot make ", folder, ": ", error.message()));
  if (!std::filesystem::is_empty(folder, error) || error)
    return absl::FailedPreconditionError(absl::StrCat(folder, " is not empty; name a folder that is"));
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);  // the password lies in it
  return absl::OkStatus();
}

}  // namespace

std::string MariadbAddress::url(std::string_view database) const {
  return fmt::format("mysql://{}:{}@{}:{}{}{}", user, password, host, port, database.empty() ? "" : "/", database);
}

std::string MariadbAddress::url_without_password(std::string_view database) const {
  return fmt::format("mysql://{}@{}:{}{}{}", user, host, port, database.empty() ? "" : "/", database);
}

PrivateMariadb::PrivateMariadb(std::string folder) : folder_(std::move(folder)) {
  const auto random = base::make_system_random();
  address_.password = fmt::format("{:016x}{:016x}", random->next(), random->next());
}

PrivateMariadb::~PrivateMariadb() {
  kill();
  std::error_code ignored;
  if (owns_folder_) std::filesystem::remove_all(folder_, ignored);
}

// What mariadb-install-db does, without its tables of help texts and views (which take it seconds) and without its care
// for the system's own files.
absl::Status PrivateMariadb::install() {
  const std::string scripts = find_scripts();
  const std::string program = find_program("mariadbd");
  if (program.empty() || scripts.empty()) return absl::FailedPreconditionError(kMissing);
  if (!owns_folder_) {
    if (auto status = make_folder(folder_); !status.ok()) return status;
    owns_folder_ = true;
  }
  std::error_code error;
  std::filesystem::remove_all(folder_ + "/data", error);  // of an installation that failed
  std::filesystem::create_directory(folder_ + "/data", error);
  std::ofstream tables(tables_file());
  tables << "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket='root', @skip_auth_anonymous=1;\n";
  for (const char* script : kScripts) tables << std::ifstream(absl::StrCat(scripts, "/", script)).rdbuf();
  std::ofstream user(user_file());
  user << fmt::format(
      "CREATE USER IF NOT EXISTS '{0}'@'{1}' IDENTIFIED BY '{2}';\n"
      "GRANT ALL PRIVILEGES ON *.* TO '{0}'@'{1}' WITH GRANT OPTION;\n"
      "CREATE USER IF NOT EXISTS 'plugins'@'{1}' IDENTIFIED BY '{2}';\n"
      "GRANT ALL PRIVILEGES ON `%\\_%\\_%`.* TO 'plugins'@'{1}';\n",
      address_.user, address_.host, address_.password);
  tables.close();
  user.close();
  if (error || !tables || !user) return absl::FailedPreconditionError(absl::StrCat("cannot write to ", folder_));
  std::vector<std::string> command = {program};
  for (std::string& option : common_options(folder_)) command.push_back(std::move(option));
  command.insert(command.end(), {"--bootstrap", "--enforce-storage-engine="});
  auto pid = spawn(command, tables_file(), log());
  if (!pid.ok()) return pid.status();
  int ending = 0;
  waitpid(*pid, &ending, 0);
  if (ending != 0) return absl::InternalError(absl::StrCat("mariadbd could not make its tables: ", last_words()));
  installed_ = true;
  return absl::OkStatus();
}

absl::Status PrivateMariadb::start(const std::vector<std::string>& options) {
  if (running()) return absl::FailedPreconditionError("this MariaDB runs already");
  if (!installed_) {
    if (auto status = install(); !status.ok()) return status;
  }
  if (address_.port != 0) return launch(options);
  const auto random = base::make_system_random();
  absl::Status status = absl::UnavailableError("there is no free port");
  for (int attempt = 0; attempt < kPortAttempts; ++attempt) {
    const auto port = static_cast<uint16_t>(kFirstPort + random->below(kPorts));
    if (!is_free(port)) continue;
    address_.port = port;
    status = launch(options);
    if (status.ok() || !absl::StrContains(status.message(), kPortTaken)) return status;
  }
  address_.port = 0;
  return status;
}

absl::Status PrivateMariadb::launch(const std::vector<std::string>& options) {
  const std::string program = find_program("mariadbd");
  if (program.empty()) return absl::FailedPreconditionError(kMissing);
  std::vector<std::string> command = {program};
  for (std::string& option : common_options(folder_)) command.push_back(std::move(option));
  command.insert(command.end(), {"--bind-address=" + address_.host, fmt::format("--port={}", address_.port),
                                 "--socket=mariadbd.sock", "--pid-file=" + folder_ + "/mariadbd.pid",
                                 "--init-file=" + user_file(), "--innodb-flush-log-at-trx-commit=1", "--skip-log-bin",
                                 "--innodb-buffer-pool-size=128M", "--skip-performance-schema", "--tmpdir=" + folder_});
  command.insert(command.end(), options.begin(), options.end());
  std::error_code none;
  const auto size = std::filesystem::file_size(log(), none);
  log_began_ = none ? 0 : static_cast<int64_t>(size);
  auto pid = spawn(command, "/dev/null", log());
  if (!pid.ok()) return pid.status();
  pid_ = *pid;
  return await_answer();
}

absl::Status PrivateMariadb::await_answer() {
  const absl::Time give_up = absl::Now() + kStartLimit;
  while (!greets(address_.port)) {
    if (ended_within(kPollMs)) return absl::UnavailableError(absl::StrCat("mariadbd did not start: ", last_words()));
    if (absl::Now() < give_up) continue;
    kill();
    return absl::DeadlineExceededError(
        absl::StrCat("mariadbd did not answer within ", absl::FormatDuration(kStartLimit), ": ", last_words()));
  }
  return absl::OkStatus();
}

absl::Status PrivateMariadb::stop() {
  if (!running()) return absl::UnavailableError(absl::StrCat("mariadbd had ended by itself: ", last_words()));
  ::kill(pid_, SIGTERM);
  ::kill(pid_, SIGCONT);
  if (ended_within(kStopLimitMs)) return absl::OkStatus();
  kill();
  return absl::DeadlineExceededError(absl::StrCat("mariadbd did not stop and was killed: ", last_words()));
}

void PrivateMariadb::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

bool PrivateMariadb::running() { return pid_ >= 0 && !ended_within(0); }

bool PrivateMariadb::ended_within(int milliseconds) {
  for (int waited = 0;; waited += kPollMs) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return true;
    }
    if (waited >= milliseconds) return false;
    absl::SleepFor(absl::Milliseconds(kPollMs));
  }
}

// Errors if there are any, else what was said last.
std::string PrivateMariadb::last_words() const {
  std::ifstream file(log());
  file.seekg(log_began_);
  std::vector<std::string> errors, all;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    if (absl::StrContains(line, "[ERROR]")) errors.push_back(line);
    all.push_back(std::move(line));
  }
  std::vector<std::string>& told = errors.empty() ? all : errors;
  if (told.empty()) return "it said nothing";
  told.erase(told.begin(), told.end() - static_cast<std::ptrdiff_t>(std::min(kLastWords, told.size())));
  return absl::StrJoin(told, "\n");
}

}  // namespace skald::samples
