#include "samples/demo/day.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"

namespace skald::demo {
namespace {

using nlohmann::json;

constexpr char kCurrency[] = "GBP";
constexpr auto kProgressInterval = std::chrono::milliseconds(250);

json items_of(const std::map<std::string, int64_t>& items) {
  json list = json::array();
  for (const auto& [sku, units] : items) list.push_back({{"sku", sku}, {"quantity", units}});
  return list;
}

// Text of a file may be in any encoding.
std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

Ending ending_of(std::string workflow_id, const absl::StatusOr<std::string>& result, absl::Duration latency) {
  Ending ending{std::move(workflow_id), "failed", "", {}, latency};
  if (!result.ok()) {
    ending.reason = base::text(result.status());
    return ending;
  }
  const json value = json::parse(*result, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object() || !value.contains("outcome")) {
    ending.reason = absl::StrCat("its result is not one of an order: ", *result);
    return ending;
  }
  ending.outcome = value.value("outcome", "");
  ending.reason = value.value("reason", "");
  ending.compensations = value.value("compensations", std::vector<std::string>());
  return ending;
}

std::string order_input(const Order& order) {
  json input = {{"order_id", order.id},
                {"items", items_of(order.items)},
                {"total", order.total},
                {"currency", kCurrency},
                {"country", order.country}};
  if (!order.sandbox.empty()) input["sandbox"] = json::parse(order.sandbox);
  return dump(input);
}

std::string workflow_of(const Order& order) { return "order-" + order.id; }
std::string workflow_of(const Return& gone) { return absl::StrCat("return-", gone.id, "-of-", gone.order_id); }

Day::Day(ShopClient& client, const Intake& intake, Options options)
    : client_(client), intake_(intake), options_(std::move(options)) {}

absl::Status Day::run() {
  const size_t all = intake_.orders.size() + intake_.returns.size();
  const absl::Time began = absl::Now();
  std::unique_lock lock(mutex_);
  size_t next_moment = 0;
  while (endings_.size() < all) {
    pump(lock);
    change_.wait_for(lock, kProgressInterval);
    const size_t done = endings_.size();
    lock.unlock();
    if (options_.on_progress) options_.on_progress(done, all);
    const auto part = static_cast<double>(done) / static_cast<double>(std::max<size_t>(1, intake_.orders.size()));
    while (next_moment < options_.moments.size() && part >= options_.moments[next_moment].part)
      options_.moments[next_moment++].act();
    lock.lock();
  }
  took_ = absl::Now() - began;
  for (const Ending& ending : endings_) {
    if (ending.outcome == "failed")
      return absl::AbortedError(absl::StrCat(ending.workflow_id, " did not end well: ", ending.reason));
  }
  return absl::OkStatus();
}

// Keeps so many under way. Returns begin when all orders have ended.
void Day::pump(std::unique_lock<std::mutex>& lock) {
  while (open_ < options_.in_flight) {
    if (next_order_ < intake_.orders.size()) {
      const Order& order = intake_.orders[next_order_++];
      ++open_;
      lock.unlock();
      begin_order(order);
      lock.lock();
    } else if (next_return_ < intake_.returns.size() && endings_.size() >= intake_.orders.size()) {
      const Return& gone = intake_.returns[next_return_++];
      ++open_;
      lock.unlock();
      begin_return(gone);
      lock.lock();
    } else {
      return;
    }
  }
}

void Day::begin_order(const Order& order) {
  const std::string id = workflow_of(order);
  const absl::Time began = absl::Now();
  client_.start("order_fulfillment", id, order_input(order),
                [this, id, began, regretted = options_.regretted.contains(order.id)](const absl::Status& status) {
                  if (!status.ok())
                    return ended({id, "failed", std::string(base::text(status)), {}, absl::Now() - began});
                  if (!regretted) return await(id, began);
                  // Too late to cancel is no error: the order has ended.
                  client_.signal(id, "cancel", R"("the customer changed their mind")",
                                 [this, id, began](const absl::Status&) { await(id, began); });
                });
}

void Day::begin_return(const Return& gone) {
  const json input = {{"order_id", gone.order_id},
                      {"return_id", gone.id},
                      {"items", items_of(gone.items)},
                      {"amount", gone.amount},
                      {"currency", kCurrency}};
  const std::string id = workflow_of(gone);
  const absl::Time began = absl::Now();
  client_.start("order_return", id, dump(input), [this, id, began](const absl::Status& status) {
    if (!status.ok()) return ended({id, "failed", std::string(base::text(status)), {}, absl::Now() - began});
    await(id, began);
  });
}

void Day::await(const std::string& workflow_id, absl::Time began) {
  client_.await(workflow_id, [this, workflow_id, began](const absl::StatusOr<std::string>& result) {
    ended(ending_of(workflow_id, result, absl::Now() - began));
  });
}

void Day::ended(Ending ending) {
  const std::lock_guard lock(mutex_);
  endings_.push_back(std::move(ending));
  --open_;
  change_.notify_all();
}

}  // namespace skald::demo
