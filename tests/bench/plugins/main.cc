#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <fmt/format.h>

#include "plugins/sdk/effect_ledger.h"
#include "tests/bench/common/fsync_probe.h"
#include "tests/bench/plugins/activities.h"
#include "tests/bench/plugins/trial_books.h"

// How many effects a second the ledger records, with many callers that each wait for their answer, beside what one
// durable write costs on this disk. An effect is what a plugin's is: a row read, a row changed, a row added, its key.
// Then the effects of orders, by the product's own plugins. On SQLite, on MySQL, or on both.
namespace skald {
namespace {

using plugin::EffectLedger;
using plugin::EffectRequest;
using plugin::EffectStore;

struct Options {
  int threads = 64;
  int effects = 40000;
  int orders = 4000;
  std::string store = "sqlite";
  std::string folder = ".";
  std::string plugins;
};

struct Row {
  double per_second;
  absl::Duration p50, p99;
};

std::string reserve(EffectStore& db, int64_t article, int64_t order) {
  const auto rows = db.run("SELECT on_hand FROM stock WHERE article = ? FOR UPDATE", {article});
  db.run("UPDATE stock SET on_hand = on_hand - 1, reserved = reserved + 1 WHERE article = ?", {article});
  db.run("INSERT INTO moves (article, order_number, before_on_hand) VALUES (?, ?, ?)",
         {article, order, plugin::number(rows[0][0])});
  return R"({"reservation_id":")" + std::to_string(order) + "\"}";
}

void ask(EffectLedger& ledger, EffectRequest request) {
  std::promise<std::string> done;
  ledger.apply(std::move(request), [&done](const std::string&, const std::optional<plugin::ActivityFailure>& failure) {
    done.set_value(failure ? failure->message : "");
  });
  if (const std::string problem = done.get_future().get(); !problem.empty()) throw std::runtime_error(problem);
}

void make_tables(EffectLedger& ledger) {
  ask(ledger, {.run = [](EffectStore& db) {
        db.run("CREATE TABLE stock (article INTEGER PRIMARY KEY, on_hand BIGINT NOT NULL, reserved BIGINT NOT NULL)");
        db.run("CREATE TABLE moves (article BIGINT, order_number BIGINT, before_on_hand BIGINT)");
        for (int64_t article = 0; article < 1000; ++article)
          db.run("INSERT INTO stock VALUES (?, 1000000, 0)", {article});
        return std::string();
      }});
}

Row measure(bench::TrialBooks& books, int threads, int effects) {
  std::vector<absl::Duration> took(static_cast<size_t>(effects));
  absl::Time begin;
  {
    EffectLedger ledger(plugin::open_plugin_store(books.new_data_path(), "ledger", 1));
    make_tables(ledger);
    std::atomic<int> next = 0;
    std::vector<std::thread> callers;
    begin = absl::Now();
    for (int i = 0; i < threads; ++i) {
      callers.emplace_back([&] {
        for (int n = next++; n < effects; n = next++) {
          const absl::Time asked = absl::Now();
          ask(ledger,
              {.key = plugin::effect_key({"default", "order-" + std::to_string(n), "reserve", std::to_string(n)}),
               .run = [n](EffectStore& db) { return reserve(db, n % 1000, n); }});
          took[static_cast<size_t>(n)] = absl::Now() - asked;
        }
      });
    }
    for (auto& caller : callers) caller.join();
  }
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  std::sort(took.begin(), took.end());
  return {effects / seconds, took[took.size() / 2], took[took.size() * 99 / 100]};
}

void measure_store(const Options& options, const std::string& store) {
  bench::TrialBooks books(store, options.folder);
  fmt::print("{}\n{:>8} {:>10} {:>10} {:>10} {:>18}\n", store, "callers", "effects/s", "P50 ms", "P99 ms",
             "statements/effect");
  for (const int threads : {1, 8, options.threads}) {
    const int effects =
        std::max(100, threads == options.threads ? options.effects : options.effects * threads / options.threads / 4);
    const auto before = books.counters();
    const Row row = measure(books, threads, effects);
    fmt::print("{:>8} {:>10.0f} {:>10.2f} {:>10.2f} {:>18.2f}\n", threads, row.per_second,
               absl::ToDoubleMilliseconds(row.p50), absl::ToDoubleMilliseconds(row.p99),
               static_cast<double>(books.counters().statements - before.statements) / effects);
  }
  fmt::print("\n");
  bench::measure_activities(books, options.plugins, options.threads, options.orders);
}

void run(const Options& options) {
  const auto probe = bench::probe_fsync(options.folder);
  fmt::print("one fsync: P50 {:.2f} ms, P99 {:.2f} ms\n", absl::ToDoubleMilliseconds(probe.median),
             absl::ToDoubleMilliseconds(probe.p99));
  for (const std::string& store : std::vector<std::string>{"sqlite", "mysql"}) {
    if (options.store != store && options.store != "both") continue;
    fmt::print("\n");
    measure_store(options, store);
  }
}

}  // namespace
}  // namespace skald

int main(int argc, char** argv) {
  skald::Options options;
  CLI::App app("Effects a second through the effect ledger");
  app.add_option("--threads", options.threads, "Concurrent callers")->capture_default_str()->check(CLI::Range(1, 4096));
  app.add_option("--effects", options.effects, "Effects with all of them")
      ->capture_default_str()
      ->check(CLI::Range(100, 100000000));
  app.add_option("--orders", options.orders, "Orders by the plugins")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000000));
  app.add_option("--store", options.store, "sqlite, mysql (a private MariaDB server, gone after) or both")
      ->capture_default_str()
      ->check(CLI::IsMember({"sqlite", "mysql", "both"}));
  app.add_option("--plugins", options.plugins, "Folder of the plugins [plugins beside this program]");
  app.add_option("--folder", options.folder, "Where the scratch files lie")
      ->capture_default_str()
      ->check(CLI::ExistingDirectory);
  CLI11_PARSE(app, argc, argv);
  if (options.plugins.empty())
    options.plugins = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "plugins";
  try {
    skald::run(options);
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
  return 0;
}
