#include "engine/server/commands.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <fmt/core.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "engine/server/open_files.h"
#include "engine/server/server.h"
#include "engine/server/serving_signals.h"
#include "engine/server/store_flags.h"

namespace skald::server {
namespace {

int run(const ServerOptions& options) {
  allow_open_files();
  const sigset_t signals = block_signals();
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("skald", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  std::atomic<bool> failed{false};
  auto server = Server::start(options, [&failed](const absl::Status& status) {
    spdlog::critical("the server cannot go on: {}", base::text(status));
    failed = true;
    kill(getpid(), SIGTERM);
  });
  if (!server.ok()) {
    fmt::print(stderr, "skald: {}\n", base::text(server.status()));
    return 1;
  }
  const size_t colon = options.grpc_address.rfind(':');
  fmt::print("skald: serving on {}:{} (store {})\n", options.grpc_address.substr(0, colon), (*server)->port(),
             store_text(options.store));
  fflush(stdout);
  for (int signal = 0; sigwait(&signals, &signal) == 0 && signal == SIGHUP;) (*server)->reload_plugins();
  fmt::print("skald: stopping\n");
  fflush(stdout);
  server->reset();
  return failed ? 1 : 0;
}

// What CLI11 calls to check an address: the mistake, or nothing.
std::string is_address(const std::string& text) {
  const size_t colon = text.rfind(':');
  const std::string port = colon == std::string::npos ? "" : text.substr(colon + 1);
  uint32_t number = 0;
  const bool good = colon != std::string::npos && colon > 0 &&
                    std::all_of(port.begin(), port.end(), absl::ascii_isdigit) && absl::SimpleAtoi(port, &number) &&
                    number <= 65535;
  return good ? "" : "'" + text + "' is no host:port with a port from 0 to 65535";
}

}  // namespace

void add_server_command(CLI::App& root, int& exit_code) {
  auto options = std::make_shared<ServerOptions>();
  CLI::App* command = root.add_subcommand("server", "Run the engine and its gRPC API");
  command->fallthrough();  // for --config
  add_store_options(*command, options->store);
  command
      ->add_option("--lease", options->store.lease_seconds,
                   "Seconds that a database keeps this server's place when nothing is heard of it")
      ->capture_default_str()
      ->check(CLI::Range(2, 3600));
  add_plugin_store_options(*command, options->plugin_store);
  add_plugin_isolation_options(*command, options->plugin_isolation);
  command->add_option("--grpc", options->grpc_address, "Where to serve, host:port (port 0 picks a free one)")
      ->capture_default_str()
      ->check(is_address);
  command->add_option("--workflows", options->workflows, "Folder of Lua workflows (*.lua) that the server runs itself")
      ->check(CLI::ExistingDirectory);
  command->add_option("--plugins", options->plugins, "Folder of plugins (*.so) whose activities the server runs itself")
      ->check(CLI::ExistingDirectory);
  command->add_option("--namespace", options->namespace_name, "Whose tasks workflows and plugins run")
      ->capture_default_str();
  command->add_option("--task-queue", options->task_queue, "The task queue workflows and plugins serve")
      ->capture_default_str();
  command->add_option("--owners", options->owners, "Owner loops; as many as cores is right")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  command
      ->add_option("--cache-mb", options->cache_mb,
                   "Memory for runs that are kept ready, in MB; the rest is read when it is needed")
      ->capture_default_str()
      ->check(CLI::Range(2, 1 << 20));
  command
      ->add_option("--state-limit-mb", options->state_limit_mb,
                   "MB that an open workflow's state may take (what is pending, not its history); beyond it is terminated")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  command->footer(
      "Examples:\n  skald server\n  skald server --store sqlite:/var/lib/skald/skald.sqlite --grpc 127.0.0.1:0\n"
      "  skald server --store mysql://skald@db.example:3306/skald --store-password file:/run/secrets/skald\n"
      "  skald server --config /etc/skald.toml   (its section [server] holds options, such as store = \"sqlite:…\")");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace skald::server
