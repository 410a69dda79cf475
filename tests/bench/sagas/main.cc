// skald-sagas: order sagas (four activities with their effects, durable at every step) in one process on the embedded
// store. Prints a table: sagas/s at full speed, latency at half of that rate, what a saga costs the store, and what an
// fsync costs this disk.
#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "engine/server/server.h"
#include "engine/shard/engine.h"
#include "tests/bench/common/fsync_probe.h"
#include "tests/bench/sagas/orders.h"

namespace {

using namespace skald;

struct Options {
  int orders = 5000;
  int in_flight = 256;
  int warm_up = 500;
  double rate = 0;  // orders/s of the second round; 0 = half of what the first reached
  std::string folder = std::filesystem::temp_directory_path() / fmt::format("skald-sagas-{}", getpid());
  server::ServerOptions server{.grpc_address = "127.0.0.1:0", .workflows = SKALD_WORKFLOWS, .plugins = SKALD_PLUGINS};
};

double milliseconds(const std::vector<absl::Duration>& sorted, double part) {
  if (sorted.empty()) return 0;
  return absl::ToDoubleMilliseconds(
      sorted[std::min(sorted.size() - 1, static_cast<size_t>(part * static_cast<double>(sorted.size())))]);
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

absl::Status measure(const Options& options) {
  std::filesystem::create_directories(options.folder);
  const bench::FsyncProbe probe = bench::probe_fsync(options.folder);
  fmt::print("fsync of 4 KiB here: P50 {:.2f} ms, P99 {:.2f} ms\n", absl::ToDoubleMilliseconds(probe.median),
             absl::ToDoubleMilliseconds(probe.p99));

  absl::Status fatal;
  auto server = server::Server::start(options.server, [&fatal](const absl::Status& status) { fatal = status; });
  if (!server.ok()) return server.status();
  bench::Orders orders(**server, "saga-");
  const int all = options.warm_up + 2 * options.orders;
  if (auto status = orders.load_stock(all); !status.ok()) return status;
  if (auto status = orders.run_closed(options.warm_up, options.in_flight); !status.ok()) return status;

  const auto row = [&](const char* how, int in_flight, double cpu) {
    fmt::print("| {:<10} | {:>6} | {:>9} | {:>8.0f} | {:>8.1f} ms | {:>8.1f} ms | {:>11.0f} us |\n", how,
               options.orders, in_flight, options.orders / absl::ToDoubleSeconds(orders.took()),
               milliseconds(orders.latencies(), 0.5), milliseconds(orders.latencies(), 0.99),
               cpu / options.orders * 1e6);
  };
  fmt::print("| load       | sagas  | in flight |  sagas/s |         P50 |         P99 |  CPU per saga  |\n");
  const shard::Statistics before = (*server)->engine().statistics();
  double cpu = cpu_seconds();
  if (auto status = orders.run_closed(options.orders, options.in_flight); !status.ok()) return status;
  const shard::Statistics after = (*server)->engine().statistics();
  row("full speed", options.in_flight, cpu_seconds() - cpu);
  const double rate = options.rate > 0 ? options.rate : options.orders / absl::ToDoubleSeconds(orders.took()) / 2;
  cpu = cpu_seconds();
  if (auto status = orders.run_open(options.orders, absl::Seconds(1 / rate)); !status.ok()) return status;
  row("half rate", 0, cpu_seconds() - cpu);

  const double sagas = options.orders;
  fmt::print(
      "engine's store, a saga: {:.2f} commits of its run, {:.2f} rows, {:.0f} bytes; {:.1f} runs a commit\n",
      static_cast<double>(after.run_rows - before.run_rows) / sagas,
      static_cast<double>(after.rows - before.rows) / sagas, static_cast<double>(after.bytes - before.bytes) / sagas,
      static_cast<double>(after.run_rows - before.run_rows) / static_cast<double>(after.commits - before.commits));
  if (auto status = orders.check_books(all); !status.ok()) return status;
  fmt::print("the books of {} orders balance\n", all);
  return fatal;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Order sagas in one process: throughput, latency, cost", "skald-sagas"};
  app.add_option("--orders", options.orders, "Orders a round")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--in-flight", options.in_flight, "Orders at a time at full speed")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--rate", options.rate, "Orders/s of the second round (0 = half of what the first reached)")
      ->capture_default_str();
  app.add_option("--folder", options.folder,
                 "Scratch folder for the data, on the disk to be measured; removed afterwards")
      ->capture_default_str();
  app.add_option("--owners", options.server.owners, "Owner loops")->capture_default_str();
  app.add_option("--workflows", options.server.workflows)->capture_default_str();
  app.add_option("--plugins", options.server.plugins)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (std::filesystem::exists(options.folder)) {
    fmt::print(stderr, "skald-sagas: {} exists; name a folder that does not\n", options.folder);
    return 2;
  }
  options.server.store.store = "sqlite:" + options.folder + "/skald.sqlite";
  const absl::Status status = measure(options);
  std::filesystem::remove_all(options.folder);
  if (status.ok()) return 0;
  fmt::print(stderr, "skald-sagas: {}\n", base::text(status));
  return 1;
}
