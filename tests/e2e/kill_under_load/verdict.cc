#include "tests/e2e/kill_under_load/verdict.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"

namespace skald::kills {
namespace {

using nlohmann::json;

constexpr size_t kAtATime = 64;
constexpr size_t kShown = 10;

// Asks again how each order ended: what was told once must be told again.
std::vector<std::string> read_again(demo::ShopClient& client, const std::deque<Promise>& promises) {
  std::vector<std::string> lost;
  std::mutex mutex;
  std::condition_variable change;
  size_t open = 0;
  for (const Promise& promise : promises) {
    if (!promise.started) continue;
    std::unique_lock lock(mutex);
    change.wait(lock, [&] { return open < kAtATime; });
    ++open;
    lock.unlock();
    const std::string id = demo::workflow_of(promise.order);
    client.await(id, [&, id](const absl::StatusOr<std::string>& result) {
      const demo::Ending now = demo::ending_of(id, result, {});
      const std::lock_guard guard(mutex);
      if (now.outcome != promise.ending.outcome)
        lost.push_back(absl::StrCat(id, " was ", promise.ending.outcome, ", now it is ", now.outcome, " ", now.reason));
      --open;
      change.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  change.wait(lock, [&] { return open == 0; });
  return lost;
}

// A cancellation that was acknowledged stands in its order's history, once.
absl::Status read_cancellations(demo::ShopClient& client, const std::deque<Promise>& promises, Verdict& verdict) {
  for (const Promise& promise : promises) {
    if (!promise.cancelled) continue;
    const std::string id = demo::workflow_of(promise.order);
    const auto signals = client.signals(id);
    if (!signals.ok()) return signals.status();
    if (*signals == 0) verdict.lost.push_back("the cancellation of " + id);
    if (*signals > 1) verdict.twice.push_back("the cancellation of " + id);
  }
  return absl::OkStatus();
}

int64_t units_of(const demo::Order& order) {
  int64_t units = 0;
  for (const auto& [sku, quantity] : order.items) units += quantity;
  return units;
}

void add_sums(const std::deque<Promise>& promises, const json& books, Verdict& verdict) {
  int64_t money = 0, goods = 0, parcels = 0;
  for (const Promise& promise : promises) {
    if (promise.ending.outcome != "confirmed") continue;
    money += promise.order.total;
    goods += units_of(promise.order);
    ++parcels;
  }
  const auto found = [&](const char* book, const char* sum) {
    return books.value(book, json::object()).value(sum, int64_t{-1});
  };
  const json currencies = books.value("money", json::object()).value("currencies", json::object());
  const json pounds = currencies.size() == 1 ? currencies.value("GBP", json::object()) : json::object();
  const auto sum = [&pounds](const char* name) { return pounds.value(name, int64_t{0}); };
  const int64_t kept = sum("captured") - sum("refunded");
  verdict.sums = {{"pence kept", money, kept},
                  {"pence authorized and left so", 0, sum("open")},
                  {"units shipped", goods, found("stock", "shipped")},
                  {"units reserved and left so", 0, found("stock", "reserved")},
                  {"parcels under way", parcels, found("shipments", "open")}};
  verdict.balanced = true;
  for (const char* book : {"stock", "money", "shipments"})
    verdict.balanced &= books.value(book, json::object()).value("balanced", false);
}

void line(const std::string& name, const std::string& value) { fmt::print("  {:<46}{:>14}\n", name, value); }

void complain(const char* about, const std::vector<std::string>& sentences) {
  for (size_t i = 0; i < std::min(kShown, sentences.size()); ++i)
    fmt::print(stderr, "skald-kills: {}: {}\n", about, sentences[i]);
}

}  // namespace

bool Verdict::good() const {
  return lost.empty() && twice.empty() && failed.empty() && balanced &&
         std::all_of(sums.begin(), sums.end(), [](const Sum& sum) { return sum.expected == sum.found; });
}

absl::StatusOr<Verdict> judge(demo::ShopClient& client, const std::deque<Promise>& promises) {
  Verdict verdict;
  for (const Promise& promise : promises) {
    verdict.starts += promise.started ? 1 : 0;
    verdict.cancellations += promise.cancelled ? 1 : 0;
    if (!promise.started) continue;
    ++verdict.outcomes[promise.ending.outcome];
    if (promise.ending.outcome == "failed")
      verdict.failed.push_back(absl::StrCat(demo::workflow_of(promise.order), ": ", promise.ending.reason));
  }
  verdict.lost = read_again(client, promises);
  if (auto status = read_cancellations(client, promises, verdict); !status.ok()) return status;
  auto audit = client.run("ledger_audit", "ledger-audit", "{}");
  if (!audit.ok()) return audit.status();
  const json books = json::parse(*audit, nullptr, /*allow_exceptions=*/false);
  if (!books.is_object()) return absl::DataLossError("the books cannot be read: " + *audit);
  add_sums(promises, books, verdict);
  return verdict;
}

void print(const Verdict& verdict) {
  fmt::print("requests acknowledged\n");
  line("orders", absl::StrCat(verdict.starts));
  line("cancellations", absl::StrCat(verdict.cancellations));
  fmt::print("orders by outcome\n");
  for (const auto& [outcome, count] : verdict.outcomes) line(outcome, absl::StrCat(count));
  fmt::print("promised and found in the partners' books\n");
  size_t wrong = 0;
  for (const Sum& sum : verdict.sums) {
    const bool same = sum.expected == sum.found;
    wrong += same ? 0 : 1;
    line(sum.what, same ? absl::StrCat(sum.found) : absl::StrCat(sum.found, ", not ", sum.expected));
  }
  line("balanced", verdict.balanced ? "yes" : "NO");
  fmt::print("verdict\n");
  line("acknowledged requests lost", absl::StrCat(verdict.lost.size()));
  line("effects done twice or left half done", absl::StrCat(verdict.twice.size() + wrong));
  line("orders that did not end well", absl::StrCat(verdict.failed.size()));
  complain("lost", verdict.lost);
  complain("twice", verdict.twice);
  complain("failed", verdict.failed);
}

}  // namespace skald::kills
