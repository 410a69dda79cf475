#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/sim/advisor.h"
#include "tests/sim/answer.h"
#include "tests/sim/erp.h"

namespace skald::sim {

// The merchant's partners: warehouse, payment provider, carrier, ERP and model. They outlive every crash of the engine.
// Every effect happens at most once for an order, and an effect that comes after its compensation does not happen at
// all (as the plugins' effect ledger has it).
class Shop {
 public:
  Shop(ShopDefect defect, std::function<absl::Time()> now)
      : defect_(defect), erp_(defect), advisor_(defect, std::move(now)) {}

  void load(const std::string& sku, int64_t units) { initial_[sku] = on_hand_[sku] = units; }
  // Which step a partner says no to, by order.
  void refuse(const std::string& order, const std::string& activity) { refused_[order] = activity; }

  // One effect of one activity ("inventory.reserve").
  Answer act(const std::string& activity, const nlohmann::json& request);

  // What is wrong with the books, whatever became of the orders.
  std::vector<std::string> check_books() const;
  // What is wrong with one order that is said to have ended so: a run's result.
  std::vector<std::string> check_order(const std::string& order, const nlohmann::json& result) const;
  // Whether money was ever taken, be it given back or not.
  bool was_charged(const std::string& order) const;

  const Erp& erp() const { return erp_; }
  const Advisor& advisor() const { return advisor_; }
  Advisor& advisor() { return advisor_; }

 private:
  struct Order {
    std::map<std::string, int64_t> reserved, shipped;
    int64_t authorized = 0, captured = 0, refunded = 0;
    int waybills = 0, open_waybills = 0;
    std::map<std::string, int64_t> refunds;  // by their references
    bool has_reserved = false, released = false, charged = false, payment_cancelled = false, waybill_cancelled = false;
  };

  Answer reserve(Order& order, const nlohmann::json& items);
  Answer release(Order& order);
  Answer confirm(Order& order);
  Answer charge(Order& order, int64_t amount);
  Answer cancel_payment(Order& order);
  Answer create_waybill(Order& order);
  Answer cancel_waybill(Order& order);
  Answer refund(Order& order, const std::string& reference, int64_t amount);
  Answer look(const std::string& activity, const nlohmann::json& request) const;
  Order find(const std::string& id) const;

  const ShopDefect defect_;
  std::map<std::string, int64_t> initial_, on_hand_;
  std::map<std::string, Order> orders_;
  std::map<std::string, std::string> refused_;
  Erp erp_;
  Advisor advisor_;
};

}  // namespace skald::sim
