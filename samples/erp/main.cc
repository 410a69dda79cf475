// skald-erp: an ERP to try things out with, on the loopback, with its books in memory.
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "samples/erp/erp_server.h"

namespace {

using skald::erp::json;

// Until SIGTERM or SIGINT, or the end of the standard input where that is a pipe of whoever started us.
void wait_for_the_end(int signals) {
  pollfd wanted[] = {{signals, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  for (;;) {
    if (poll(wanted, 2, -1) < 0) continue;
    if (wanted[0].revents != 0) return;
    char ignored[256];
    if (wanted[1].revents != 0 && read(STDIN_FILENO, ignored, sizeof ignored) <= 0) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  skald::erp::ErpOptions options;
  std::string faults = "{}";
  CLI::App app{"A sandbox ERP over HTTP, with its books in memory; it lives until SIGTERM or the end of its input",
               "skald-erp"};
  app.add_option("--port", options.port, "Where to serve on the loopback; 0 picks a free one")->capture_default_str();
  app.add_option("--api-key", options.api_key, "What callers must say in Authorization: Bearer …")
      ->capture_default_str();
  app.add_option("--faults", faults, R"(What goes wrong, e.g. {"POST /v1/orders": {"fault": "busy", "share": 0.2}})");
  CLI11_PARSE(app, argc, argv);
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  try {
    options.faults = json::parse(faults);
    skald::erp::ErpServer server(options);
    std::printf("skald-erp: serving on %s\n", server.url().c_str());
    std::fflush(stdout);
    wait_for_the_end(signalfd(-1, &wanted, SFD_CLOEXEC));
    return 0;
  } catch (const skald::erp::Refusal& refusal) {
    std::fprintf(stderr, "skald-erp: %s\n", refusal.message.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skald-erp: %s\n", error.what());
  }
  return 2;
}
