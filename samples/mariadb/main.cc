// skald-mariadb: a private MariaDB server for trying and testing, gone when its input closes.
#include <csignal>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "samples/mariadb/private_mariadb.h"

namespace {

constexpr int kWatchMs = 200;
constexpr char kHelp[] =
    "A MariaDB server of one's own on a free loopback port, with its data in a scratch folder. Prints one line,\n"
    "mysql://skald:PASSWORD@127.0.0.1:PORT, and serves until its standard input closes, or until SIGTERM or SIGINT;\n"
    "then the data is gone. No system-wide server and no option file is touched.";
constexpr char kExample[] =
    "Example: serve in a terminal until Ctrl-D, with fewer connections than usual\n"
    "  skald-mariadb -- --max-connections=20\n"
    "Example: serve in the background until its process is stopped\n"
    "  sleep infinity | skald-mariadb >address.txt &";

// Takes the signals that end a server out of their usual way.
int signals_to_watch() {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGHUP);
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  return signalfd(-1, &ending, SFD_CLOEXEC);
}

// Returns true when we are told to end, false if the server ended by itself.
bool serve_until_told(skald::samples::PrivateMariadb& mariadb, int signals) {
  pollfd watched[] = {{STDIN_FILENO, POLLIN, 0}, {signals, POLLIN, 0}};
  while (mariadb.running()) {
    if (poll(watched, 2, kWatchMs) <= 0) continue;
    if (watched[1].revents != 0) return true;
    char ignored[4096];
    if (watched[0].revents != 0 && read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0) return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder;
  std::vector<std::string> options;
  CLI::App app{kHelp, "skald-mariadb"};
  app.footer(kExample);
  app.add_option("--folder", folder,
                 "Scratch folder, empty or not there yet; removed at the end (default: a new one under TMPDIR)");
  app.add_option("options", options, "After --: further options of mariadbd");
  CLI11_PARSE(app, argc, argv);

  const int signals = signals_to_watch();
  skald::samples::PrivateMariadb mariadb(folder);
  absl::Status status = mariadb.start(options);
  if (status.ok()) {
    fmt::print("{}\n", mariadb.address().url());
    fflush(stdout);
    serve_until_told(mariadb, signals);
    status = mariadb.stop();
  }
  if (status.ok()) return 0;
  fmt::print(stderr, "skald-mariadb: {}\n", skald::base::text(status));
  return 1;
}
