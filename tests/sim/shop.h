#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

namespace skald::sim {

// A defect to be put in on purpose, to see that the simulator finds it.
enum class ShopDefect { kNone, kForgetsIdempotency, kForgetsTombstones };

// The merchant's partners: warehouse, payment provider, carrier. They outlive every crash of the engine. Every effect
// happens at most once for an order, and an effect that comes after its compensation does not happen at all (as the
// plugins' effect ledger has it).
class Shop {
 public:
  struct Refusal {
    std::string type;
    std::string message;
  };
  using Answer = std::variant<nlohmann::json, Refusal>;

  explicit Shop(ShopDefect defect = ShopDefect::kNone) : defect_(defect) {}

  void load(const std::string& sku, int64_t units) { initial_[sku] = on_hand_[sku] = units; }
  // Which step a partner says no to, by order.
  void refuse(const std::string& order, const std::string& activity) { refused_[order] = activity; }

  // One effect of one activity ("inventory.reserve") for an order.
  Answer act(const std::string& activity, const nlohmann::json& request);

  // What is wrong with the books, whatever became of the orders.
  std::vector<std::string> check_books() const;
  // What is wrong with one order that is said to have ended so.
  std::vector<std::string> check_order(const std::string& order, const std::string& outcome) const;

 private:
  struct Order {
    std::map<std::string, int64_t> reserved, shipped;
    int64_t authorized = 0, captured = 0, refunded = 0;
    int waybills = 0, open_waybills = 0;
    bool has_reserved = false, released = false, charged = false, payment_cancelled = false, waybill_cancelled = false;
  };

  Answer reserve(Order& order, const nlohmann::json& items);
  Answer release(Order& order);
  Answer confirm(Order& order);
  Answer charge(Order& order, int64_t amount);
  Answer cancel_payment(Order& order);
  Answer create_waybill(Order& order);
  Answer cancel_waybill(Order& order);

  const ShopDefect defect_;
  std::map<std::string, int64_t> initial_, on_hand_;
  std::map<std::string, Order> orders_;
  std::map<std::string, std::string> refused_;
};

}  // namespace skald::sim
