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
#include <unistd.h>

#include "plugins/sdk/effect_ledger.h"
#include "tests/bench/common/fsync_probe.h"

// How many effects a second the ledger records, with many callers that each wait for their answer, beside what one
// durable write costs on this disk. An effect is what a plugin's is: a row read, a row changed, a row added, its key.
namespace skald {
namespace {

using plugin::EffectLedger;
using plugin::EffectRequest;
using plugin::EffectStore;

struct Options {
  int threads = 64;
  int effects = 40000;
  std::string folder = ".";
};

struct Row {
  double per_second;
  absl::Duration p50, p99;
};

std::string reserve(EffectStore& db, int64_t article, int64_t order) {
  const auto rows = db.run("SELECT on_hand FROM stock WHERE article = ?", {article});
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

Row measure(const Options& options, int threads, int effects) {
  const std::string path = options.folder + "/skald-effects-" + std::to_string(getpid()) + ".sqlite";
  const auto remove = [&path] {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
  };
  remove();
  std::vector<absl::Duration> took(static_cast<size_t>(effects));
  absl::Time begin;
  {
    EffectLedger ledger(plugin::open_sqlite_store(path));
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
  remove();
  std::sort(took.begin(), took.end());
  return {effects / seconds, took[took.size() / 2], took[took.size() * 99 / 100]};
}

void run(const Options& options) {
  const auto probe = bench::probe_fsync(options.folder);
  fmt::print("one fsync: P50 {:.2f} ms, P99 {:.2f} ms\n\n", absl::ToDoubleMilliseconds(probe.median),
             absl::ToDoubleMilliseconds(probe.p99));
  fmt::print("{:>8} {:>10} {:>10} {:>10}\n", "callers", "effects/s", "P50 ms", "P99 ms");
  for (const int threads : {1, 8, options.threads}) {
    const int effects = threads == options.threads ? options.effects : options.effects * threads / options.threads / 4;
    const Row row = measure(options, threads, std::max(effects, 100));
    fmt::print("{:>8} {:>10.0f} {:>10.2f} {:>10.2f}\n", threads, row.per_second, absl::ToDoubleMilliseconds(row.p50),
               absl::ToDoubleMilliseconds(row.p99));
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
  app.add_option("--folder", options.folder, "Where the scratch file lies")
      ->capture_default_str()
      ->check(CLI::ExistingDirectory);
  CLI11_PARSE(app, argc, argv);
  try {
    skald::run(options);
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
  return 0;
}
