// skald-sagas: order sagas (four activities with their effects, durable at every step) in one process on either store.
// Prints a table: sagas/s at full speed, latency at half of that rate, what a saga costs the store and, on MySQL, the
// database, and what an fsync costs this disk.
#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "engine/server/server.h"
#include "engine/shard/engine.h"
#include "samples/mariadb/trial_store.h"
#include "tests/bench/common/database_counters.h"
#include "tests/bench/common/fsync_probe.h"
#include "tests/bench/sagas/orders.h"

namespace {

using namespace skald;
using samples::TrialStore;

struct Options {
  int orders = 5000;
  int in_flight = 256;
  int warm_up = 500;
  double rate = 0;  // orders/s of the second round; 0 = half of what the first reached
  std::string store = "sqlite";
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

// One round of orders: its row of the table.
class Row {
 public:
  Row(const std::string& store, const Options& options) : store_(store), options_(options), cpu_(cpu_seconds()) {}

  void print(const char* how, int in_flight, const bench::Orders& orders) const {
    fmt::print("| {:<6} | {:<10} | {:>6} | {:>9} | {:>8.0f} | {:>8.1f} ms | {:>8.1f} ms | {:>11.0f} us |\n", store_,
               how, options_.orders, in_flight, options_.orders / absl::ToDoubleSeconds(orders.took()),
               milliseconds(orders.latencies(), 0.5), milliseconds(orders.latencies(), 0.99),
               (cpu_seconds() - cpu_) / options_.orders * 1e6);
  }

 private:
  const std::string& store_;
  const Options& options_;
  const double cpu_;
};

// What one saga cost, told after the table.
struct Costs {
  shard::Statistics engine;
  bench::DatabaseCounters database;
};

absl::StatusOr<Costs> costs(server::Server& server, TrialStore& store) {
  auto counters = bench::read_counters(store);
  if (!counters.ok()) return counters.status();
  return Costs{server.engine().statistics(), *counters};
}

std::string told(const std::string& store, const Costs& before, const Costs& after, double sagas) {
  const auto each = [&](auto all) { return static_cast<double>(all) / sagas; };
  const shard::Statistics &from = before.engine, &to = after.engine;
  std::string text = fmt::format(
      "{}: the engine's store, a saga: {:.2f} commits of its run, {:.2f} rows, {:.0f} bytes; {:.1f} runs a commit\n",
      store, each(to.run_rows - from.run_rows), each(to.rows - from.rows), each(to.bytes - from.bytes),
      static_cast<double>(to.run_rows - from.run_rows) / static_cast<double>(to.commits - from.commits));
  if (after.database.statements > 0) {
    text += fmt::format("{}: the database, engine and plugins alike, a saga: {:.2f} statements, {:.2f} commits", store,
                        each(after.database.statements - before.database.statements),
                        each(after.database.commits - before.database.commits));
    const double cpu = absl::ToDoubleMicroseconds(after.database.cpu - before.database.cpu);
    text += cpu > 0 ? fmt::format(", {:.0f} us of CPU\n", cpu / sagas) : "\n";
  }
  return text;
}

// The rounds on one store. What is to be told after the table is added to `notes`.
absl::Status measure_store(const Options& options, const std::string& name, std::string& notes) {
  const std::string store_name = name.substr(0, name.find(':'));
  const std::string folder = options.folder + "/" + store_name;
  std::filesystem::create_directories(folder);
  auto store = TrialStore::open(name, folder);
  if (!store.ok()) return store.status();
  server::ServerOptions how = options.server;
  how.store = {(*store)->url(), (*store)->password_reference()};

  absl::Status fatal;
  auto server = server::Server::start(how, [&fatal](const absl::Status& status) { fatal = status; });
  if (!server.ok()) return server.status();
  bench::Orders orders(**server, "saga-");
  const int all = options.warm_up + 2 * options.orders;
  if (auto status = orders.load_stock(all); !status.ok()) return status;
  if (auto status = orders.run_closed(options.warm_up, options.in_flight); !status.ok()) return status;

  auto before = costs(**server, **store);
  if (!before.ok()) return before.status();
  const Row full(store_name, options);
  if (auto status = orders.run_closed(options.orders, options.in_flight); !status.ok()) return status;
  full.print("full speed", options.in_flight, orders);
  auto after = costs(**server, **store);
  if (!after.ok()) return after.status();
  const double rate = options.rate > 0 ? options.rate : options.orders / absl::ToDoubleSeconds(orders.took()) / 2;
  const Row half(store_name, options);
  if (auto status = orders.run_open(options.orders, absl::Seconds(1 / rate)); !status.ok()) return status;
  half.print("half rate", 0, orders);

  if (auto status = orders.check_books(all); !status.ok()) return status;
  notes += told(store_name, *before, *after, options.orders);
  notes += fmt::format("{}: the books of {} orders balance\n", store_name, all);
  return fatal;
}

absl::Status measure(const Options& options) {
  std::filesystem::create_directories(options.folder);
  const bench::FsyncProbe probe = bench::probe_fsync(options.folder);
  fmt::print("fsync of 4 KiB here: P50 {:.2f} ms, P99 {:.2f} ms\n", absl::ToDoubleMilliseconds(probe.median),
             absl::ToDoubleMilliseconds(probe.p99));
  fmt::print("| store  | load       | sagas  | in flight |  sagas/s |         P50 |         P99 |  CPU per saga  |\n");
  const std::vector<std::string> stores =
      options.store == "both" ? std::vector<std::string>{"sqlite", "mysql"} : std::vector<std::string>{options.store};
  std::string notes;
  absl::Status status;
  for (const std::string& store : stores) {
    status = measure_store(options, store, notes);
    if (!status.ok()) break;
  }
  fmt::print("{}", notes);
  return status;
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
  app.add_option("--store", options.store,
                 "sqlite, mysql (a MariaDB of its own), both, or mysql://user@host:port/database")
      ->capture_default_str()
      ->check([](const std::string& text) { return text == "both" ? "" : TrialStore::complaint(text); });
  app.add_option("--owners", options.server.owners, "Owner loops")->capture_default_str();
  app.add_option("--workflows", options.server.workflows)->capture_default_str();
  app.add_option("--plugins", options.server.plugins)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (std::filesystem::exists(options.folder)) {
    fmt::print(stderr, "skald-sagas: {} exists; name a folder that does not\n", options.folder);
    return 2;
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  const absl::Status status = measure(options);
  std::filesystem::remove_all(options.folder);
  if (status.ok()) return 0;
  fmt::print(stderr, "skald-sagas: {}\n", base::text(status));
  return 1;
}
