// skald-demo: a merchant's day against a server of its own that is killed on the way and started again; on a MySQL of
// its own, that too.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <stdexcept>

#include <CLI/CLI.hpp>
#include <absl/strings/str_join.h>
#include <absl/time/clock.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "engine/base/text.h"
#include "samples/demo/day.h"
#include "samples/demo/intake.h"
#include "samples/demo/merchant.h"
#include "samples/demo/report.h"
#include "samples/demo/server_process.h"
#include "samples/demo/shop_client.h"
#include "samples/mariadb/trial_store.h"

namespace {

using namespace skald::demo;
using skald::samples::TrialStore;

struct Options {
  std::string orders;  // a CSV file; empty = the sample merchant's
  int count = 2000;    // orders of the sample merchant
  size_t in_flight = 64;
  bool kill = true;
  std::string store = "sqlite";
  std::string server = SKALD_BINARY;
  std::string workflows = SKALD_WORKFLOWS;
  std::string plugins = SKALD_PLUGINS;
  std::string data = "data/demo";
};

constexpr size_t kComplaintsShown = 20;
constexpr char kStockLoad[] = "stock-load";

std::vector<std::string> command(const Options& options, const TrialStore& store, const std::string& address) {
  std::vector<std::string> words = {options.server, "server",          "--grpc",    address,
                                    "--workflows",  options.workflows, "--plugins", options.plugins};
  const std::vector<std::string> where = store.arguments();
  words.insert(words.end(), where.begin(), where.end());
  return words;
}

std::string rounded(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(1)));
}

// The shelves hold what all orders want, and a little more.
std::string delivery_for(const Intake& intake) {
  std::map<std::string, int64_t> wanted;
  for (const Order& order : intake.orders) {
    for (const auto& [sku, units] : order.items) wanted[sku] += units;
  }
  nlohmann::json items = nlohmann::json::array();
  for (const auto& [sku, units] : wanted) items.push_back({{"sku", sku}, {"quantity", units + 10}});
  return nlohmann::json{{"items", std::move(items)}}.dump();
}

absl::StatusOr<Intake> orders_of(const Options& options) {
  if (options.orders.empty()) return take_in(parse_csv(merchant_csv(options.count)));
  auto text = read_file(options.orders);
  if (!text.ok()) return text.status();
  auto intake = take_in(parse_csv(*text));
  if (!intake.ok())
    return absl::InvalidArgumentError(options.orders + ": " + std::string(skald::base::text(intake.status())));
  if (intake->orders.empty()) return absl::InvalidArgumentError(options.orders + ": there is no order in it");
  return intake;
}

// The first complaints on the screen, all of them in a file beside the data.
void print_intake(const Options& options, const Intake& intake) {
  const std::string name = options.orders.empty() ? "the sample merchant" : options.orders;
  const std::string file = options.data + "/complaints.txt";
  std::ofstream all(file);
  for (size_t i = 0; i < intake.complaints.size(); ++i) {
    const std::string line = fmt::format("{}:{}: {}\n", name, intake.complaints[i].line, intake.complaints[i].reason);
    all << line;
    if (i < kComplaintsShown) fmt::print("{}", line);
  }
  if (intake.complaints.size() > kComplaintsShown) {
    fmt::print("… and {} more; all of them: {}\n", intake.complaints.size() - kComplaintsShown, file);
  }
  fmt::print("{}: {} orders, {} returns, {} lines that are no orders\n", name, intake.orders.size(),
             intake.returns.size(), intake.complaints.size());
}

// What to type to look at an order: one that was compensated, if there is any.
void print_next_steps(const Options& options, TrialStore& store, const Day& day) {
  if (store.mariadb() != nullptr) {
    fmt::print("\nthe demo's database is gone with the demo; --store mysql://… keeps the orders in one of yours\n");
    return;
  }
  const auto& endings = day.endings();
  auto shown = std::find_if(endings.begin(), endings.end(),
                            [](const Ending& ending) { return ending.compensations.size() > 1; });
  if (shown == endings.end()) shown = endings.begin();
  const std::string skald = std::filesystem::relative(options.server).string();
  fmt::print("\nlook at an order:\n  {} server {} --workflows workflows --plugins build/plugins &\n", skald,
             absl::StrJoin(store.arguments(), " "));
  fmt::print("  {} workflow trace {}\n", skald, shown->workflow_id);
}

// The server and its store, which may be killed and started again while customers order.
class Shop {
 public:
  Shop(const Options& options, TrialStore& store)
      : options_(options),
        store_(store),
        log_(options.data + "/server.log"),
        server_(std::make_unique<ServerProcess>(command(options, store, "127.0.0.1:0"), log_)),
        address_(server_->address()) {
    fmt::print("serving on {} after {}; its log: {}\n", address_, rounded(server_->time_to_serving()), log_);
  }

  const std::string& address() const { return address_; }
  const std::map<std::string, int>& killed() const { return killed_; }

  // Half way through the day the server; with a database of our own, in a second round, that too.
  std::vector<Moment> accidents() {
    std::vector<Moment> moments;
    const bool two = store_.mariadb() != nullptr;
    moments.push_back(
        {two ? 0.25 : 0.5, [this, two] { kill_server(two ? "half way through the first round" : "half way"); }});
    if (two) moments.push_back({0.75, [this] { kill_database(); }});
    return moments;
  }

 private:
  void kill_server(const char* when) {
    server_->kill();
    ++killed_["the server"];
    fmt::print("  {}: the server was killed (kill -9) with orders under way\n", when);
    server_ = std::make_unique<ServerProcess>(command(options_, store_, address_), log_);
    fmt::print("  serving again after {}\n", rounded(server_->time_to_serving()));
  }

  void kill_database() {
    const absl::Time began = absl::Now();
    store_.mariadb()->kill();
    ++killed_["the database"];
    fmt::print("  half way through the second round: the database was killed (kill -9) with orders under way\n");
    if (auto status = store_.mariadb()->start(); !status.ok())
      throw std::runtime_error(std::string(skald::base::text(status)));
    fmt::print("  the database answers again after {}\n", rounded(absl::Now() - began));
  }

  const Options& options_;
  TrialStore& store_;
  const std::string log_;
  std::unique_ptr<ServerProcess> server_;
  const std::string address_;
  std::map<std::string, int> killed_;
};

absl::StatusOr<bool> play(Options& options) {
  auto intake = orders_of(options);
  if (!intake.ok()) return intake.status();
  print_intake(options, *intake);
  auto store = TrialStore::open(options.store, options.data);
  if (!store.ok()) return store.status();
  if ((*store)->mariadb() != nullptr) fmt::print("a MariaDB of the demo's own: {}\n", (*store)->url());
  Shop shop(options, **store);

  ShopClient client(shop.address());
  auto used = client.knows(kStockLoad);
  if (!used.ok()) return used.status();
  if (*used)
    return absl::FailedPreconditionError((*store)->url() + " holds an earlier demo's orders; name another database");
  if (auto loaded = client.run("stock_load", kStockLoad, delivery_for(*intake)); !loaded.ok()) return loaded.status();
  Day::Options how;
  how.in_flight = std::min(options.in_flight, intake->orders.size() / 4 + 1);  // a short day has a half time too
  if (options.orders.empty()) how.regretted = add_troubles(*intake);
  if (options.kill) how.moments = shop.accidents();
  how.on_progress = [shown = size_t{0}](size_t ended, size_t all) mutable {
    const size_t tenth = ended * 10 / all;
    if (std::exchange(shown, tenth) == tenth) return;
    fmt::print("  {:>6} of {} ended\n", ended, all);
    fflush(stdout);
  };
  Day day(client, *intake, std::move(how));
  const absl::Status status = day.run();
  auto audit = client.run("ledger_audit", "ledger-audit", "{}");
  const bool balanced =
      print_report(*intake, day, audit.ok() ? *audit : std::string(skald::base::text(audit.status())), shop.killed());
  if (!status.ok()) return status;
  print_next_steps(options, **store, day);
  return balanced;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{
      "A merchant's orders through the saga, with a kill -9 on the way; exit code 0 only if every order ended and the "
      "books balance",
      "skald-demo"};
  app.add_option("--orders", options.orders, "A CSV file of orders; without it, those of a sample merchant")
      ->check(CLI::ExistingFile);
  app.add_option("--count", options.count, "Orders of the sample merchant")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--in-flight", options.in_flight, "Orders at a time")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  app.add_flag("!--no-kill", options.kill, "Kill nothing");
  app.add_option("--store", options.store,
                 "sqlite (a file), mysql (a MariaDB of the demo's own, killed too) or mysql://user@host:port/database "
                 "(a new one in your server; its password: SKALD_STORE_PASSWORD)")
      ->capture_default_str()
      ->check(TrialStore::complaint);
  app.add_option("--data", options.data, "Folder of the server's data; emptied first")->capture_default_str();
  app.add_option("--server", options.server, "The server's binary")->capture_default_str()->check(CLI::ExistingFile);
  app.add_option("--workflows", options.workflows)->capture_default_str()->check(CLI::ExistingDirectory);
  app.add_option("--plugins", options.plugins)->capture_default_str()->check(CLI::ExistingDirectory);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  try {
    std::filesystem::remove_all(options.data);
    std::filesystem::create_directories(options.data);
    const auto balanced = play(options);
    if (balanced.ok()) return *balanced ? 0 : 1;
    fmt::print(stderr, "skald-demo: {}\n", skald::base::text(balanced.status()));
  } catch (const std::exception& error) {
    fmt::print(stderr, "skald-demo: {}\n", error.what());
  }
  return 1;
}
