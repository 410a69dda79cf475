// skald-crash-bench: what a plugin in a process of its own costs, how soon it is there again after a crash, and what
// orders beside one that crashes notice of it.
#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "plugins/host/serve.h"
#include "tests/bench/isolation/beside_orders.h"
#include "tests/bench/isolation/plugin_calls.h"

namespace {

absl::Status measure(const skald::bench::BesideOptions& options, int crashes, int calls) {
  std::filesystem::create_directories(options.folder);
  if (auto status = skald::bench::measure_beside_orders(options); !status.ok()) return status;
  if (auto status = skald::bench::measure_calls(options.folder + "/calls", calls); !status.ok()) return status;
  return skald::bench::measure_restarts(options.folder + "/restarts", crashes);
}

}  // namespace

int main(int argc, char** argv) {
  // The processes of its plugins are its own.
  if (const int fd = skald::plugins::isolation_argument(argc, argv); fd >= 0) return skald::plugins::serve_isolated(fd);
  skald::bench::BesideOptions options;
  options.folder = std::filesystem::temp_directory_path() / fmt::format("skald-crash-bench-{}", getpid());
  int crashes = 100, calls = 20000;
  CLI::App app{"Plugins that crash: cost of isolation, restarts, orders beside them", "skald-crash-bench"};
  app.add_option("--seconds", options.seconds, "Of each round of orders")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--orders", options.orders, "Order sagas a second")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--fragile-orders", options.fragile_orders, "Orders a second through the plugin that crashes")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--share", options.share, "Of that plugin's attempts that crash")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.5));
  app.add_option("--crashes", crashes, "Restarts to measure")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--calls", calls, "Activities to measure, one at a time")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--folder", options.folder, "Scratch folder; removed afterwards")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (std::filesystem::exists(options.folder)) {
    fmt::print(stderr, "skald-crash-bench: {} exists; name a folder that does not\n", options.folder);
    return 2;
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  spdlog::set_level(spdlog::level::critical);  // crashes are what is expected here
  const absl::Status status = measure(options, crashes, calls);
  std::filesystem::remove_all(options.folder);
  if (status.ok()) return 0;
  fmt::print(stderr, "skald-crash-bench: {}\n", skald::base::text(status));
  return 1;
}
