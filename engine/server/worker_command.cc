#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

#include <fmt/core.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "engine/base/text.h"
#include "engine/server/commands.h"
#include "engine/server/open_files.h"
#include "engine/server/serving_signals.h"
#include "engine/server/store_flags.h"
#include "engine/server/worker_process.h"

namespace skald::server {
namespace {

// What the command line says beyond the worker's own options.
struct Arguments {
  WorkerOptions worker;
  std::string tls_ca, tls_cert, tls_key;  // files
};

std::string contents(const std::string& file) {
  std::ostringstream text;
  if (!file.empty()) text << std::ifstream(file).rdbuf();
  return text.str();
}

// Waits for a signal to end, and meanwhile watches the connection: the first time there is one, `connected` is called.
template <typename Connected>
void serve(WorkerProcess& worker, const sigset_t& signals, Connected connected) {
  bool said = false;
  while (true) {
    const bool up = worker.connected(absl::ZeroDuration());
    if (up && !said) connected();
    said = said || up;
    const timespec nap = said ? timespec{1, 0} : timespec{0, 50'000'000};
    const int signal = sigtimedwait(&signals, nullptr, &nap);
    if (signal == SIGHUP) worker.reload_plugins();
    if (signal == SIGINT || signal == SIGTERM) return;
  }
}

int run(Arguments& arguments) {
  allow_open_files();
  const sigset_t signals = block_signals();
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("skald", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  WorkerOptions& options = arguments.worker;
  auto& connection = options.connection;
  connection.root_certificates = contents(arguments.tls_ca);
  connection.certificate = contents(arguments.tls_cert);
  connection.key = contents(arguments.tls_key);
  // A key must not go over the wire for all to read.
  connection.tls =
      connection.tls || !arguments.tls_ca.empty() || !arguments.tls_cert.empty() || !connection.api_key.empty();
  auto worker = WorkerProcess::start(options);
  if (!worker.ok()) {
    fmt::print(stderr, "skald: {}\n", base::text(worker.status()));
    return 1;
  }
  serve(**worker, signals, [&] {
    fmt::print("skald: polling {} for {} of {} ({})\n", connection.address, options.task_queue, options.namespace_name,
               (*worker)->content());
    fflush(stdout);
  });
  fmt::print("skald: stopping\n");
  fflush(stdout);
  // Activities that did not end run in threads of their plugins, under which nothing must be destroyed.
  if (!(*worker)->stop()) std::_Exit(0);
  return 0;
}

// What is wrong with an address, for CLI11; empty if nothing.
std::string check_address(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon != std::string::npos && colon > 0 && colon + 1 < address.size() &&
      address.find_first_not_of("0123456789", colon + 1) == std::string::npos) {
    return "";
  }
  return "'" + address + "' is no address: write host:port, e.g. 127.0.0.1:7233";
}

}  // namespace

void add_worker_command(CLI::App& root, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  WorkerOptions& worker = arguments->worker;
  worker.connection.address = "127.0.0.1:7233";
  CLI::App* command = root.add_subcommand(
      "worker", "Run Lua workflows and plugins for a server, this or any other Temporal-compatible one");
  command->add_option("--address", worker.connection.address, "The server, host:port")
      ->capture_default_str()
      ->check(check_address)
      ->envname("TEMPORAL_ADDRESS");
  command->add_option("--namespace", worker.namespace_name, "Whose tasks it runs")
      ->capture_default_str()
      ->envname("TEMPORAL_NAMESPACE");
  command->fallthrough();  // for --config
  command->add_option("--task-queue", worker.task_queue, "The task queue it serves")->capture_default_str();
  command->add_option("--workflows", worker.workflows, "Folder of Lua workflows (*.lua)")
      ->check(CLI::ExistingDirectory);
  command->add_option("--plugins", worker.plugins, "Folder of plugins (*.so)")->check(CLI::ExistingDirectory);
  add_plugin_store_options(*command, worker.plugin_store);
  add_plugin_isolation_options(*command, worker.plugin_isolation);
  command->add_option("--workflow-slots", worker.workflow_slots, "Workflow tasks worked on at a time")
      ->capture_default_str()
      ->check(CLI::Range(2, 100'000));
  command->add_option("--activity-slots", worker.activity_slots, "Activities worked on at a time")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  command->add_option("--pollers", worker.pollers, "Polls open at a time, of each kind")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  command
      ->add_option("--cached-workflows", worker.cached_workflows,
                   "Runs whose state is kept between two tasks; others are replayed")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  command->add_option("--identity", worker.identity, "The worker's name in histories (process and host unless given)");
  command->add_flag("--tls", worker.connection.tls, "Connect with TLS");
  command->add_option("--tls-ca", arguments->tls_ca, "Certificates to trust, PEM (the system's unless given)")
      ->check(CLI::ExistingFile);
  auto* certificate =
      command->add_option("--tls-cert", arguments->tls_cert, "The client's certificate, PEM")->check(CLI::ExistingFile);
  auto* key = command->add_option("--tls-key", arguments->tls_key, "The client's key, PEM")->check(CLI::ExistingFile);
  certificate->needs(key);
  key->needs(certificate);
  command
      ->add_option("--api-key", worker.connection.api_key, "Sent with each call, over TLS; better in the environment")
      ->envname("TEMPORAL_API_KEY");
  command->footer(
      "Examples:\n"
      "  skald worker --workflows workflows --plugins build/plugins\n"
      "  skald worker --address temporal.example:7233 --namespace shop --task-queue orders --workflows workflows");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace skald::server
