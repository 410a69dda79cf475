#include "tests/bench/isolation/beside_orders.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <fmt/core.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "engine/server/server.h"
#include "tests/bench/sagas/orders.h"

namespace skald::bench {
namespace {

namespace fs = std::filesystem;

constexpr char kFragileOrder[] = R"(
local skald = require "skald"
local crasher = skald.activities("crasher", { start_to_close = "30s",
  retry = { initial = "50ms", backoff = 1.5, max_interval = "2s" } })

return function(order)
  crasher.work {}
  crasher.book {}
  crasher.work {}
  return { status = "confirmed" }
end
)";
constexpr char kCount[] = R"(
local skald = require "skald"
local crasher = skald.activities("crasher", { start_to_close = "30s" })
return function() return crasher.count {} end
)";

double milliseconds(const std::vector<absl::Duration>& sorted, double part) {
  if (sorted.empty()) return 0;
  return absl::ToDoubleMilliseconds(
      sorted[std::min(sorted.size() - 1, static_cast<size_t>(part * static_cast<double>(sorted.size())))]);
}

double resident_mb() {
  int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return static_cast<double>(resident * sysconf(_SC_PAGESIZE)) / (1 << 20);
}

// Counts the crashes that are told in the log, and keeps them out of the terminal.
class CrashSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  int count() const { return count_; }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    if (message.level == spdlog::level::err && text.find("plugin crasher ") == 0) ++count_;
  }
  void flush_() override {}
  std::atomic<int> count_ = 0;
};

// The folders of one round's server.
void lay_out(const std::string& folder, bool with_plugin, double share) {
  fs::create_directories(folder + "/plugins");
  fs::copy(SKALD_WORKFLOWS, folder + "/workflows", fs::copy_options::recursive);
  std::ofstream(folder + "/workflows/fragile_order.lua") << kFragileOrder;
  std::ofstream(folder + "/workflows/count_bookings.lua") << kCount;
  for (const std::string plugin : {"inventory", "payment", "logistics"})
    fs::copy(absl::StrCat(SKALD_PLUGINS, "/", plugin, ".so"), absl::StrCat(folder, "/plugins/", plugin, ".so"));
  if (!with_plugin) return;
  fs::copy(CRASHER, folder + "/plugins/crasher.so");
  std::ofstream(folder + "/plugins/crasher.json") << fmt::format(R"({{"isolation": "process", "share": {}}})", share);
}

absl::Status measure_round(const BesideOptions& options, const char* name, bool with_plugin, double share) {
  const std::string folder = absl::StrCat(options.folder, "/", name);
  lay_out(folder, with_plugin, share);
  const auto crashes = std::make_shared<CrashSink>();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("bench", crashes));
  absl::Status fatal;
  auto server = server::Server::start({.store = {absl::StrCat("sqlite:", folder, "/store.sqlite"), ""},
                                       .grpc_address = "127.0.0.1:0",
                                       .workflows = folder + "/workflows",
                                       .plugins = folder + "/plugins"},
                                      [&fatal](const absl::Status& status) { fatal = status; });
  if (!server.ok()) return server.status();
  Orders orders(**server, "plain-"), fragile(**server, "fragile-", "fragile_order");
  const int count = static_cast<int>(options.orders * options.seconds), warm_up = std::max(1, count / 10);
  const int fragile_count = with_plugin ? static_cast<int>(options.fragile_orders * options.seconds) : 0;
  if (auto status = orders.load_stock(count + warm_up); !status.ok()) return status;
  if (auto status = orders.run_closed(warm_up, 16); !status.ok()) return status;

  const double before = resident_mb();
  absl::Status fragile_ended;
  std::thread beside([&] {
    if (fragile_count > 0) fragile_ended = fragile.run_open(fragile_count, absl::Seconds(1 / options.fragile_orders));
  });
  const absl::Status ended = orders.run_open(count, absl::Seconds(1 / options.orders));
  beside.join();
  const double after = resident_mb();
  if (!ended.ok()) return ended;
  if (!fragile_ended.ok()) return fragile_ended;
  fmt::print(
      "| {:<26} | {:>6} | {:>7} | {:>7} | {:>8.2f} ms | {:>8.2f} ms | {:>7.1f} ms | {:>7.1f} ms | {:>6.1f} -> {:>6.1f} "
      "|\n",
      name, count, fragile_count, crashes->count(), milliseconds(orders.starts(), 0.5),
      milliseconds(orders.starts(), 0.99), milliseconds(orders.latencies(), 0.5),
      milliseconds(orders.latencies(), 0.99), before, after);
  if (auto status = orders.check_books(count + warm_up); !status.ok()) return status;
  if (fragile_count > 0) {
    auto bookings = fragile.result_of("count_bookings", "count", "{}");
    if (!bookings.ok()) return bookings.status();
    if (!absl::StrContains(*bookings, absl::StrCat("\"bookings\":", fragile_count)))
      return absl::InternalError(absl::StrCat("not ", fragile_count, " bookings but ", *bookings));
  }
  return fatal;
}

// A round in a process of its own: the memory that one has taken is none of the next one's.
absl::Status fork_round(const BesideOptions& options, const char* name, bool with_plugin, double share) {
  fflush(stdout);
  const pid_t child = fork();
  if (child < 0) return absl::InternalError("cannot fork");
  if (child == 0) {
    const absl::Status status = measure_round(options, name, with_plugin, share);
    if (!status.ok()) fmt::print(stderr, "skald-crash-bench: {}: {}\n", name, base::text(status));
    fflush(stdout);
    _exit(status.ok() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? absl::OkStatus()
                                                       : absl::InternalError(absl::StrCat("the round failed: ", name));
}

}  // namespace

absl::Status measure_beside_orders(const BesideOptions& options) {
  fmt::print(
      "| order sagas                | orders | fragile | crashes |   start P50 |   start P99 |   saga P50 |   saga P99 "
      "|  "
      "RSS, MB         |\n");
  if (auto status = fork_round(options, "alone", false, 0); !status.ok()) return status;
  if (auto status = fork_round(options, "beside a plugin that works", true, 0); !status.ok()) return status;
  return fork_round(options, "beside one that crashes", true, options.share);
}

}  // namespace skald::bench
