#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "plugins/sdk/effect_store.h"

namespace skald::plugin::payment {

struct Money {
  int64_t authorized = 0, captured = 0, voided = 0, refunded = 0;
  std::string currency;
  int64_t open() const { return authorized - captured - voided; }
  int64_t refundable() const { return captured - refunded; }
  bool operator==(const Money&) const = default;
};

// A sandbox payment provider: somebody else's books, in tables of its own that the plugin's do not share. It does what
// it is asked under an idempotency key once, answers the same when it is asked again, and takes never more than was
// authorised. Refusals are ActivityErrors that are not to be retried.
class Provider {
 public:
  explicit Provider(EffectStore& db) : db_(db) {}
  static void create_tables(EffectStore& db);

  // What was done under this key: what to ask before anything is asked for again.
  std::optional<nlohmann::json> find(const std::string& key);
  std::optional<Money> payment(const std::string& payment);

  struct Order {
    std::string account, order_id, currency;
  };
  nlohmann::json authorize(const std::string& key, const Order& order, int64_t amount, bool capture);
  // Without an amount: all that is left.
  nlohmann::json capture(const std::string& key, const std::string& payment, std::optional<int64_t> amount);
  nlohmann::json refund(const std::string& key, const std::string& payment, std::optional<int64_t> amount);
  // Voids what is open and refunds what was captured. {"found": false} if there never was such a payment; nor will be:
  // its key is taken, even from one who opens it at this moment.
  nlohmann::json cancel(const std::string& key, const std::string& payment);

 private:
  Money known(const std::string& payment);
  void write(const std::string& payment, const Money& money);
  nlohmann::json record(const std::string& key, const std::string& payment, const std::string& operation,
                        nlohmann::json answer);

  EffectStore& db_;
};

}  // namespace skald::plugin::payment
