// skald-kills: customers order through the public API while the engine and its database are killed at moments by
// chance; then everything that was acknowledged is looked for, and the partners' books are audited.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>

#include <CLI/CLI.hpp>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "samples/demo/csv_file.h"
#include "samples/demo/merchant.h"
#include "samples/mariadb/child_process.h"
#include "samples/mariadb/trial_store.h"
#include "tests/e2e/kill_under_load/customers.h"
#include "tests/e2e/kill_under_load/killer.h"
#include "tests/e2e/kill_under_load/verdict.h"

namespace {

using namespace skald;
using samples::TrialStore;

struct Options {
  int engine = 50;
  int database = 20;
  std::string store = "mysql";
  size_t in_flight = 64;
  uint64_t seed = 0;  // 0 = by chance
  std::string folder = std::filesystem::temp_directory_path() / fmt::format("skald-kills-{}", getpid());
  std::string server = SKALD_BINARY;
  std::string workflows = SKALD_WORKFLOWS;
  std::string plugins = SKALD_PLUGINS;
};

constexpr int kSampleOrders = 1000;
constexpr int64_t kPlenty = 1'000'000'000;  // units of each article
constexpr size_t kProgress = 50;  // orders between two kills at least: the engine works, it does not only start
constexpr absl::Duration kShortestPeace = absl::Milliseconds(50);
constexpr absl::Duration kLongestPeace = absl::Milliseconds(1000);
constexpr absl::Duration kPatience = absl::Minutes(3);

std::string delivery(const demo::Intake& samples) {
  std::set<std::string> articles;
  for (const demo::Order& order : samples.orders) {
    for (const auto& [sku, units] : order.items) articles.insert(sku);
  }
  nlohmann::json items = nlohmann::json::array();
  for (const std::string& sku : articles) items.push_back({{"sku", sku}, {"quantity", kPlenty}});
  return nlohmann::json{{"items", std::move(items)}}.dump();
}

std::string milliseconds(std::vector<absl::Duration> times) {
  if (times.empty()) return "";
  std::sort(times.begin(), times.end());
  return fmt::format("{:.0f} / {:.0f} ms", absl::ToDoubleMilliseconds(times[times.size() / 2]),
                     absl::ToDoubleMilliseconds(times.back()));
}

absl::Status kill_all(const Options& options, base::Random& random, kills::Killer& killer,
                      kills::Customers& customers) {
  const std::vector<kills::Kill> kills = kills::shuffled_kills(options.engine, options.database, random);
  for (size_t i = 0; i < kills.size(); ++i) {
    if (!customers.await_progress(kProgress, kPatience))
      return absl::DeadlineExceededError("no order ends any more; the engine's log is " + options.folder +
                                         "/server.log");
    absl::SleepFor(kShortestPeace + random.unit() * (kLongestPeace - kShortestPeace));
    absl::Status status;
    switch (kills[i]) {
      case kills::Kill::kEngine:
        status = killer.kill_engine();
        break;
      case kills::Kill::kDatabase:
        status = killer.kill_database();
        break;
      case kills::Kill::kBoth:
        status = killer.kill_both();
        break;
    }
    if (!status.ok()) return status;
    if ((i + 1) % 10 == 0) fmt::print("  {} of {} moments of death\n", i + 1, kills.size());
  }
  return absl::OkStatus();
}

// What `skald store check` finds in the tables of the engine, which is stopped.
bool check_store(const Options& options, const TrialStore& store) {
  std::vector<std::string> command = {options.server, "store", "check"};
  const std::vector<std::string> where = store.arguments();
  command.insert(command.end(), where.begin(), where.end());
  const auto pid = samples::spawn(command, "/dev/null", options.folder + "/check.log");
  int ending = -1;
  if (pid.ok()) waitpid(*pid, &ending, 0);
  return ending == 0;
}

absl::StatusOr<bool> play(const Options& options) {
  std::filesystem::create_directories(options.folder);
  auto store = TrialStore::open(options.store, options.folder);
  if (!store.ok()) return store.status();
  auto intake = demo::take_in(demo::parse_csv(demo::merchant_csv(kSampleOrders)));
  if (!intake.ok()) return intake.status();
  std::set<std::string> regretted = demo::add_troubles(*intake);

  std::vector<std::string> command = {options.server,    "server",    "--workflows",
                                      options.workflows, "--plugins", options.plugins};
  const std::vector<std::string> where = (*store)->arguments();
  command.insert(command.end(), where.begin(), where.end());
  kills::Killer killer(std::move(command), options.folder + "/server.log", **store);
  const auto address = killer.start();
  if (!address.ok()) return address.status();
  const auto random = options.seed == 0 ? base::make_system_random() : base::make_seeded_random(options.seed);

  // Calls that are open when something went wrong outlive this function; they end with the process.
  auto& client = *new demo::ShopClient(*address);
  auto loaded = client.run("stock_load", "stock-load", delivery(*intake));
  if (!loaded.ok()) return loaded.status();
  auto& customers = *new kills::Customers(client, std::move(*intake), std::move(regretted));
  const absl::Time began = absl::Now();
  customers.begin(options.in_flight);
  const absl::Status killed = kill_all(options, *random, killer, customers);
  const absl::Status finished = customers.finish(killed.ok() ? kPatience : absl::ZeroDuration());
  const absl::Duration took = absl::Now() - began;
  if (!killed.ok()) return killed;
  if (!finished.ok()) return finished;
  auto verdict = kills::judge(client, customers.promises());
  if (!verdict.ok()) return verdict.status();

  fmt::print("killed (SIGKILL) under load, {} store, {:.0f} s\n", options.store, absl::ToDoubleSeconds(took));
  const auto line = [](const char* what, const std::string& value) { fmt::print("  {:<46}{:>14}\n", what, value); };
  line("the engine, times", absl::StrCat(options.engine));
  line("the database, times", absl::StrCat(options.database));
  line("engine away, P50 / longest", milliseconds(killer.engine_absences()));
  if (options.database > 0) line("database away, P50 / longest", milliseconds(killer.database_absences()));
  kills::print(*verdict);
  killer.end();
  const bool whole = check_store(options, **store);
  line("the tables' invariants hold", whole ? "yes" : "NO");
  return verdict->good() && whole;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  bool keep = false;
  CLI::App app{
      "Orders under load while the engine and its database are killed at moments by chance; exit code 0 only if "
      "nothing "
      "that was acknowledged is lost and nothing was done twice",
      "skald-kills"};
  app.footer("Example: skald-kills --engine 5 --database 2");
  app.add_option("--engine", options.engine, "Kills of the engine")
      ->capture_default_str()
      ->check(CLI::Range(0, 10'000));
  auto* database = app.add_option("--database", options.database, "Kills of the database, with --store mysql")
                       ->capture_default_str()
                       ->check(CLI::Range(0, 10'000));
  app.add_option("--store", options.store, "mysql (a MariaDB of its own), sqlite or mysql://user@host:port/database")
      ->capture_default_str()
      ->check(TrialStore::complaint);
  app.add_option("--in-flight", options.in_flight, "Orders at a time")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  app.add_option("--seed", options.seed, "Makes the moments' order repeatable; 0 = by chance")->capture_default_str();
  app.add_option("--folder", options.folder, "Scratch folder; removed afterwards if all is well")
      ->capture_default_str();
  app.add_flag("--keep", keep, "Keep the scratch folder");
  app.add_option("--server", options.server, "The server's binary")->capture_default_str()->check(CLI::ExistingFile);
  app.add_option("--workflows", options.workflows)->capture_default_str()->check(CLI::ExistingDirectory);
  app.add_option("--plugins", options.plugins)->capture_default_str()->check(CLI::ExistingDirectory);
  CLI11_PARSE(app, argc, argv);
  if (options.store != "mysql" && database->count() > 0 && options.database > 0) {
    fmt::print(stderr, "skald-kills: only with --store mysql there is a database of its own to kill\n");
    return 2;
  }
  if (options.store != "mysql") options.database = 0;
  if (std::filesystem::exists(options.folder)) {
    fmt::print(stderr, "skald-kills: {} exists; name a folder that does not\n", options.folder);
    return 2;
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  const auto good = play(options);
  if (!good.ok()) fmt::print(stderr, "skald-kills: {}\n", base::text(good.status()));
  if (good.ok() && *good && !keep) std::filesystem::remove_all(options.folder);
  fflush(stdout);
  _exit(good.ok() && *good ? 0 : 1);
}
