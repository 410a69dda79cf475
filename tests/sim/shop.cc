#include "tests/sim/shop.h"

#include <fmt/core.h>

namespace skald::sim {
namespace {

using nlohmann::json;

const json kDone = json::object({{"done", true}});

}  // namespace

Answer Shop::act(const std::string& activity, const json& request) {
  if (activity.starts_with("erp.")) return erp_.act(activity, request);
  if (activity.starts_with("llm.")) {
    if (defect_ == ShopDefect::kChargesBeforeRisk && request.value("agent", "") == "risk")
      charge(orders_[request.at("about")], request.at("inputs").at("order").at("total"));
    return advisor_.act(activity, request);
  }
  if (!request.contains("order_id") || activity == "logistics.track") return look(activity, request);
  const std::string id = request.at("order_id");
  const auto refused = refused_.find(id);
  if (refused != refused_.end() && refused->second == activity)
    return Refusal{"Refused", activity + " is refused for " + id};
  // What is sent again has a reservation and a shipment of its own.
  Order& order = orders_[request.value("reservation_id", request.value("shipment_id", id))];
  if (activity == "inventory.reserve") return reserve(order, request.at("items"));
  if (activity == "inventory.release") return release(order);
  if (activity == "inventory.confirm") return confirm(order);
  if (activity == "payment.charge") return charge(order, request.at("amount"));
  if (activity == "payment.cancel") return cancel_payment(order);
  if (activity == "payment.refund") return refund(order, request.at("refund_id"), request.at("amount"));
  if (activity == "logistics.create_waybill") return create_waybill(order);
  if (activity == "logistics.cancel_waybill") return cancel_waybill(order);
  return Refusal{"NoSuchActivity", activity};
}

Answer Shop::reserve(Order& order, const json& items) {
  if (order.released && defect_ != ShopDefect::kForgetsTombstones)
    return Refusal{"Released", "the order was released before"};
  if (order.has_reserved && defect_ != ShopDefect::kForgetsIdempotency) return kDone;
  for (const auto& item : items) {
    if (on_hand_[item.at("sku")] < item.at("quantity").get<int64_t>()) return Refusal{"OutOfStock", item.at("sku")};
  }
  for (const auto& item : items) {
    const int64_t quantity = item.at("quantity");
    on_hand_[item.at("sku")] -= quantity;
    order.reserved[item.at("sku")] += quantity;
  }
  order.has_reserved = true;
  return kDone;
}

Answer Shop::release(Order& order) {
  if (!order.shipped.empty()) return Refusal{"Shipped", "the goods have left"};
  for (const auto& [sku, quantity] : order.reserved) on_hand_[sku] += quantity;
  order.reserved.clear();
  order.released = true;
  return kDone;
}

Answer Shop::confirm(Order& order) {
  if (order.released) return Refusal{"Released", "the order was released before"};
  if (order.shipped.empty()) order.shipped = std::exchange(order.reserved, {});
  return kDone;
}

Answer Shop::charge(Order& order, int64_t amount) {
  if (order.payment_cancelled && defect_ != ShopDefect::kForgetsTombstones)
    return Refusal{"Cancelled", "the payment was cancelled before"};
  if (!order.charged) order.authorized = amount;
  if (!order.charged || defect_ == ShopDefect::kForgetsIdempotency) order.captured += amount;
  order.charged = true;
  return kDone;
}

Answer Shop::cancel_payment(Order& order) {
  order.refunded = order.captured;
  order.payment_cancelled = true;
  return kDone;
}

Answer Shop::create_waybill(Order& order) {
  if (order.waybill_cancelled && defect_ != ShopDefect::kForgetsTombstones)
    return Refusal{"Cancelled", "the waybill was cancelled before"};
  if (order.open_waybills == 0 || defect_ == ShopDefect::kForgetsIdempotency) {
    ++order.waybills;
    ++order.open_waybills;
  }
  return kDone;
}

Answer Shop::cancel_waybill(Order& order) {
  order.open_waybills = 0;
  order.waybill_cancelled = true;
  return kDone;
}

Answer Shop::refund(Order& order, const std::string& reference, int64_t amount) {
  if (order.refunds.count(reference) != 0) return kDone;
  if (order.refunded + amount > order.captured) return Refusal{"RefundTooLarge", reference};
  order.refunds[reference] = amount;
  order.refunded += amount;
  return kDone;
}

// What changes nothing.
Answer Shop::look(const std::string& activity, const json& request) const {
  if (activity == "logistics.track") return json{{"state", "under way"}};
  if (activity == "inventory.levels") {
    json on_hand = json::object();
    for (const std::string sku : request.at("skus")) on_hand[sku] = std::hash<std::string>()(sku) % 3 * 20;
    return json{{"on_hand", std::move(on_hand)}};
  }
  if (activity != "logistics.candidates") return Refusal{"NoSuchActivity", activity};
  json candidates = json::array();
  for (const json& warehouse : request.at("warehouses")) {
    for (const int days : {1, 4}) {
      const std::string carrier = days == 1 ? "fast" : "cheap", name = warehouse.at("name");
      candidates.push_back({{"id", name + "/" + carrier},
                            {"warehouse", name},
                            {"carrier", carrier},
                            {"cost", 2000 / days},
                            {"promise_days", days}});
    }
  }
  return json{{"candidates", std::move(candidates)}};
}

Shop::Order Shop::find(const std::string& id) const {
  const auto found = orders_.find(id);
  return found == orders_.end() ? Order() : found->second;
}

bool Shop::was_charged(const std::string& order) const { return find(order).captured > 0; }

std::vector<std::string> Shop::check_books() const {
  std::vector<std::string> problems = advisor_.check_books();
  std::map<std::string, int64_t> units = on_hand_;
  for (const auto& [id, order] : orders_) {
    for (const auto& [sku, quantity] : order.reserved) units[sku] += quantity;
    for (const auto& [sku, quantity] : order.shipped) units[sku] += quantity;
    if (order.captured > order.authorized)
      problems.push_back(fmt::format("{}: {} captured of {} authorized", id, order.captured, order.authorized));
    if (order.refunded > order.captured)
      problems.push_back(fmt::format("{}: {} refunded of {} captured", id, order.refunded, order.captured));
    if (order.waybills > 1) problems.push_back(fmt::format("{}: {} waybills", id, order.waybills));
  }
  for (const auto& [sku, quantity] : initial_) {
    if (units[sku] != quantity)
      problems.push_back(fmt::format("{}: {} units of {} are left", sku, units[sku], quantity));
    if (on_hand_.at(sku) < 0) problems.push_back(fmt::format("{}: {} units on hand", sku, on_hand_.at(sku)));
  }
  return problems;
}

std::vector<std::string> Shop::check_order(const std::string& id, const json& result) const {
  const std::string outcome = result.at("outcome");
  const std::string remedy = result.contains("after_sales") ? result.at("after_sales").at("remedy") : json("none");
  std::vector<std::string> problems;
  const auto expect = [&](bool good, const std::string& what) {
    if (!good) problems.push_back(fmt::format("{} is {} but {}", id, outcome, what));
  };
  const Order order = find(id), again = find(id + "/again");
  expect(order.reserved.empty(), "goods are still reserved for it");
  if (outcome == "confirmed") {
    expect(!order.shipped.empty(), "its goods did not leave");
    expect(order.captured > 0, "it was not paid");
    expect(remedy == "discount" ? order.refunded > 0 && order.refunded <= order.captured
                                : order.refunded == (remedy == "refund" ? order.captured : 0),
           fmt::format("{} of {} captured were refunded as {}", order.refunded, order.captured, remedy));
    expect(again.reserved.empty() && (remedy == "reship") == !again.shipped.empty() &&
               again.open_waybills == (remedy == "reship" ? 1 : 0),
           "what was sent again is not what its remedy says: " + remedy);
    expect(order.open_waybills == 1, "it has no open waybill");
  } else {
    expect(order.shipped.empty(), "its goods left");
    expect(order.captured == order.refunded,
           fmt::format("{} of {} captured were refunded", order.refunded, order.captured));
    expect(order.open_waybills == 0, "its waybill is open");
  }
  return problems;
}

}  // namespace skald::sim
