// skald-load: one-activity workflows over gRPC against a server on this machine, or against one of its own on the store
// that is asked for. Prints one table: workflows/s, start latency, time from start to completion, what it cost.
#include <filesystem>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <absl/strings/match.h>
#include <fmt/core.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "samples/demo/server_process.h"
#include "samples/mariadb/trial_store.h"
#include "tests/bench/common/database_counters.h"
#include "tests/bench/common/fsync_probe.h"
#include "tests/bench/load/load.h"

namespace {

using namespace skald;
using samples::TrialStore;

struct Options {
  bench::LoadOptions load;
  bool remote = false;
  std::string store;  // empty = the server at the address
  int owners = 2;
  int warm_up = 300;
  std::string server = SKALD_BINARY;
  std::string folder = std::filesystem::temp_directory_path() / fmt::format("skald-load-{}", getpid());
};

double at(const std::vector<absl::Duration>& sorted, size_t percent) {
  if (sorted.empty()) return 0;
  return absl::ToDoubleMilliseconds(sorted[std::min(sorted.size() - 1, sorted.size() * percent / 100)]);
}

void print_header() {
  fmt::print("| {:<6} | {:>9} | {:>9} | {:>11} | {:>11} | {:>11} | {:>14} | {:>14} | {:>12} | {:>10} | {:>7} |\n",
             "store", "workflows", "in flight", "workflows/s", "start P50", "start P99", "complete P50", "complete P99",
             "server CPU", "statements", "commits");
}

// Costs are those of one workflow; "-" if they cannot be known.
void print_row(const std::string& store, const bench::LoadOptions& options, const bench::LoadResult& result,
               const std::string& cpu, const std::string& statements, const std::string& commits) {
  fmt::print(
      "| {:<6} | {:>9} | {:>9} | {:>11.0f} | {:>8.2f} ms | {:>8.2f} ms | {:>11.2f} ms | {:>11.2f} ms | {:>12} "
      "| {:>10} | {:>7} |\n",
      store, result.completed, options.in_flight, result.completed / absl::ToDoubleSeconds(result.took),
      at(result.starts, 50), at(result.starts, 99), at(result.completions, 50), at(result.completions, 99), cpu,
      statements, commits);
}

absl::Status measure_address(const Options& options) {
  auto result = bench::run_load(options.load);
  if (!result.ok()) return result.status();
  print_header();
  print_row("-", options.load, *result, "-", "-", "-");
  return absl::OkStatus();
}

// A server of our own on `name`'s store.
absl::Status measure_store(Options options, const std::string& name) {
  const std::string folder = options.folder + "/" + name.substr(0, name.find(':'));
  std::filesystem::create_directories(folder);
  auto store = TrialStore::open(name, folder);
  if (!store.ok()) return store.status();
  std::vector<std::string> command = {options.server, "server",   "--grpc",
                                      "127.0.0.1:0",  "--owners", std::to_string(options.owners)};
  const std::vector<std::string> where = (*store)->arguments();
  command.insert(command.end(), where.begin(), where.end());
  demo::ServerProcess server(command, folder + "/server.log");
  options.load.address = server.address();
  bench::LoadOptions warm_up = options.load;
  warm_up.workflows = options.warm_up;
  if (auto warm = bench::run_load(warm_up); !warm.ok()) return warm.status();
  const absl::Duration cpu = server.cpu();
  auto before = bench::read_counters(**store);
  if (!before.ok()) return before.status();
  auto result = bench::run_load(options.load);
  if (!result.ok()) return result.status();
  auto after = bench::read_counters(**store);
  if (!after.ok()) return after.status();
  const auto each = [&](int64_t all) {
    return (*store)->is_mysql() ? fmt::format("{:.2f}", static_cast<double>(all) / result->completed) : "-";
  };
  print_row((*store)->is_mysql() ? "mysql" : "sqlite", options.load, *result,
            fmt::format("{:.0f} us", absl::ToDoubleMicroseconds(server.cpu() - cpu) / result->completed),
            each(after->statements - before->statements), each(after->commits - before->commits));
  return absl::OkStatus();
}

absl::Status measure(const Options& options) {
  if (options.store.empty()) return measure_address(options);
  std::filesystem::create_directories(options.folder);
  const bench::FsyncProbe probe = bench::probe_fsync(options.folder);
  fmt::print("fsync of 4 KiB here: P50 {:.2f} ms, P99 {:.2f} ms\n", absl::ToDoubleMilliseconds(probe.median),
             absl::ToDoubleMilliseconds(probe.p99));
  print_header();
  const std::vector<std::string> stores =
      options.store == "both" ? std::vector<std::string>{"sqlite", "mysql"} : std::vector<std::string>{options.store};
  for (const std::string& store : stores) {
    if (auto status = measure_store(options, store); !status.ok()) return status;
  }
  return absl::OkStatus();
}

bool is_here(const std::string& address) {
  return absl::StartsWith(address, "127.") || absl::StartsWith(address, "localhost:") ||
         absl::StartsWith(address, "[::1]:");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Measures one-activity workflows against a server on this machine", "skald-load"};
  app.footer("Example: skald-load --store both");
  auto* address = app.add_option("--address", options.load.address, "The server")->capture_default_str();
  app.add_flag("--remote", options.remote, "The server is on another machine, and may be put under load");
  app.add_option("--store", options.store,
                 "Instead of --address: a server of its own on sqlite, mysql (a MariaDB of its own), both, or "
                 "mysql://user@host:port/database")
      ->excludes(address)
      ->check([](const std::string& text) { return text == "both" ? "" : TrialStore::complaint(text); });
  app.add_option("--owners", options.owners, "Owner loops of the server of its own")->capture_default_str();
  app.add_option("--server", options.server, "The binary of the server of its own")->capture_default_str();
  app.add_option("--folder", options.folder, "Scratch folder, on the disk to be measured; removed afterwards")
      ->capture_default_str();
  app.add_option("--namespace", options.load.ns)->capture_default_str();
  app.add_option("--workflows", options.load.workflows, "How many")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000'000));
  app.add_option("--in-flight", options.load.in_flight, "At once; 1 = an idle server")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  app.add_option("--pollers", options.load.pollers, "Polls of each kind")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  app.add_option("--channels", options.load.channels)->capture_default_str()->check(CLI::Range(1, 64));
  app.add_option("--limit", options.load.limit_seconds, "Gives up after so many seconds")
      ->capture_default_str()
      ->check(CLI::Range(1, 3'600));
  CLI11_PARSE(app, argc, argv);
  if (!options.remote && !is_here(options.load.address)) {
    fmt::print(stderr, "skald-load: {} is another machine; --remote says that it may be put under load\n",
               options.load.address);
    return 2;
  }
  if (!options.store.empty() && std::filesystem::exists(options.folder)) {
    fmt::print(stderr, "skald-load: {} exists; name a folder that does not\n", options.folder);
    return 2;
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  absl::Status status;
  try {
    status = measure(options);
  } catch (const std::exception& error) {
    status = absl::UnknownError(error.what());
  }
  if (!options.store.empty()) std::filesystem::remove_all(options.folder);
  if (!status.ok()) fmt::print(stderr, "skald-load: {}\n", base::text(status));
  fflush(stdout);
  _exit(status.ok() ? 0 : 1);  // with the polls that are open
}
