// skald-sim: plays simulated seeds of the order workload, with crashes and faults, and checks every invariant.
#include <set>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "tests/sim/simulation.h"

int main(int argc, char** argv) {
  using namespace skald::sim;
  int64_t seeds = 200;
  Options options;
  bool verbose = false;
  std::string workflows = SKALD_WORKFLOWS;
  CLI::App app{"Simulates the engine under crashes, store faults and failing partners; a seed decides everything",
               "skald-sim"};
  app.add_option("--seeds", seeds, "How many seeds")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--from", options.seed, "The first seed")->capture_default_str();
  app.add_option("--orders", options.orders, "Orders a seed")->capture_default_str()->check(CLI::Range(1, 100'000));
  app.add_option("--kills", options.kills, "Kills a seed, at most")
      ->capture_default_str()
      ->check(CLI::Range(0, 10'000));
  app.add_option("--workflows", workflows, "Folder of the order saga")
      ->capture_default_str()
      ->check(CLI::ExistingDirectory);
  std::vector<std::string> with, without;
  std::set<std::string> lives;
  for (const auto& [name, member] : kLives) lives.insert(name);
  app.add_option("--with", with, "What happens besides, if it is off by default")->check(CLI::IsMember(lives));
  app.add_option("--without", without, "What does not happen")->check(CLI::IsMember(lives));
  app.add_flag("--verbose", verbose, "Prints a line for every seed, and the engine's log");
  app.footer("A seed that fails is printed; play it again with --seeds 1 --from SEED --verbose.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  for (const std::string& name : with) options.life.*kLives.at(name) = true;
  for (const std::string& name : without) options.life.*kLives.at(name) = false;
  spdlog::set_level(verbose ? spdlog::level::debug : spdlog::level::off);
  skald::lua::Definitions definitions;
  try {
    load_definitions(definitions, workflows, SKALD_SIM_WORKFLOWS);
  } catch (const std::exception& error) {
    fmt::print(stderr, "skald-sim: {}\n", error.what());
    return 2;
  }

  const uint64_t end = options.seed + static_cast<uint64_t>(seeds);
  uint64_t failed = 0, steps = 0;
  int kills = 0;
  absl::Duration simulated;
  std::map<std::string, int> outcomes;
  for (; options.seed < end; ++options.seed) {
    const Report report = simulate(options, definitions);
    steps += report.steps;
    kills += report.kills;
    simulated += report.took;
    for (const auto& [outcome, count] : report.outcomes) outcomes[outcome] += count;
    if (verbose) {
      fmt::print("seed {}: {} steps, {} kills, {}, digest {:016x}\n", options.seed, report.steps, report.kills,
                 absl::FormatDuration(report.took), report.digest);
    }
    if (report.problems.empty()) continue;
    ++failed;
    fmt::print("seed {} FAILED; play it again: skald-sim --seeds 1 --from {} --orders {} --kills {} --verbose\n",
               options.seed, options.seed, options.orders, options.kills);
    for (const std::string& problem : report.problems) fmt::print("  {}\n", problem);
    fflush(stdout);
  }
  fmt::print("{} seeds, {} failed; {} steps, {} kills, {} of simulated time;", seeds, failed, steps, kills,
             absl::FormatDuration(absl::Trunc(simulated, absl::Seconds(1))));
  for (const auto& [outcome, count] : outcomes) fmt::print(" {} {}", count, outcome);
  fmt::print("\n");
  return failed == 0 ? 0 : 1;
}
