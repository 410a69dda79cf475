#include "plugins/sdk/plugin.h"

// Money by order, in minor units, at a sandbox provider that lives in this plugin. Payment id = order id.
namespace skald::plugin {
namespace {

std::string order(const json& input) { return input.at("order_id").get<std::string>(); }

struct Balance {
  int64_t authorized, captured, voided, refunded;
};

Balance balance(EffectStore& db, const std::string& order_id) {
  const auto rows =
      db.run("SELECT authorized, captured, voided, refunded FROM payments WHERE order_id = ?", {order_id});
  if (rows.empty()) throw ActivityError("PaymentNotFound", "order " + order_id + " has no payment", true);
  return {number(rows[0][0]), number(rows[0][1]), number(rows[0][2]), number(rows[0][3])};
}

void book(EffectStore& db, const std::string& order_id, const std::string& cause, int64_t amount) {
  db.run("INSERT INTO money_ledger (order_id, cause, amount) VALUES (?, ?, ?)", {order_id, cause, amount});
}

json open_payment(EffectStore& db, const json& input, bool capture) {
  const int64_t amount = input.at("amount").get<int64_t>();
  if (amount < 0) throw ActivityError("InvalidAmount", "an amount must not be below zero", true);
  db.run("INSERT INTO payments (order_id, currency, authorized, captured, voided, refunded) VALUES (?, ?, ?, ?, 0, 0)",
         {order(input), input.value("currency", ""), amount, capture ? amount : 0});
  book(db, order(input), "authorize", amount);
  if (capture) book(db, order(input), "capture", amount);
  return {{"payment_id", order(input)}, {"authorized", amount}, {"captured", capture ? amount : 0}};
}

json authorize(EffectStore& db, const json& input) { return open_payment(db, input, false); }
json charge(EffectStore& db, const json& input) { return open_payment(db, input, true); }

json capture(EffectStore& db, const json& input) {
  const Balance now = balance(db, order(input));
  const int64_t open = now.authorized - now.captured - now.voided;
  const int64_t amount = input.value("amount", open);
  if (amount <= 0 || amount > open)
    throw ActivityError("CaptureRefused", "only " + std::to_string(open) + " is open", true);
  db.run("UPDATE payments SET captured = captured + ? WHERE order_id = ?", {amount, order(input)});
  book(db, order(input), "capture", amount);
  return {{"captured", amount}};
}

json refund_amount(EffectStore& db, const json& input, int64_t amount, int64_t most) {
  if (amount < 0 || amount > most)
    throw ActivityError("RefundRefused", "at most " + std::to_string(most) + " can be refunded", true);
  db.run("UPDATE payments SET refunded = refunded + ? WHERE order_id = ?", {amount, order(input)});
  book(db, order(input), "refund", amount);
  return {{"refunded", amount}};
}

json refund(EffectStore& db, const json& input) {
  const Balance now = balance(db, order(input));
  const int64_t most = now.captured - now.refunded;
  return refund_amount(db, input, input.value("amount", most), most);
}

// Undoes a payment whatever its state: what is open is voided, what was captured is refunded.
json cancel(EffectStore& db, const json& input) {
  const Balance now = balance(db, order(input));
  const int64_t open = now.authorized - now.captured - now.voided;
  if (open > 0) {
    db.run("UPDATE payments SET voided = voided + ? WHERE order_id = ?", {open, order(input)});
    book(db, order(input), "void", open);
  }
  const int64_t most = now.captured - now.refunded;
  json result = refund_amount(db, input, most, most);
  result["voided"] = open;
  return result;
}

json query(EffectStore& db, const json& input) {
  const Balance now = balance(db, order(input));
  return {
      {"authorized", now.authorized}, {"captured", now.captured}, {"voided", now.voided}, {"refunded", now.refunded}};
}

json audit(EffectStore& db, const json&) {
  const Row sums = db.run(
      "SELECT COUNT(*), COALESCE(SUM(authorized),0), COALESCE(SUM(captured),0), COALESCE(SUM(voided),0), "
      "COALESCE(SUM(refunded),0) FROM payments")[0];
  const int64_t wrong =
      number(db.run("SELECT COUNT(*) FROM payments WHERE captured + voided > authorized OR refunded > captured")[0][0]);
  const auto booked = [&](const char* cause) {
    return number(
        db.run("SELECT COALESCE(SUM(amount),0) FROM money_ledger WHERE cause = ?", {std::string(cause)})[0][0]);
  };
  const bool agrees = booked("authorize") == number(sums[1]) && booked("capture") == number(sums[2]) &&
                      booked("void") == number(sums[3]) && booked("refund") == number(sums[4]);
  return {{"balanced", wrong == 0 && agrees},
          {"payments", number(sums[0])},
          {"authorized", number(sums[1])},
          {"captured", number(sums[2])},
          {"voided", number(sums[3])},
          {"refunded", number(sums[4])},
          {"open", number(sums[1]) - number(sums[2]) - number(sums[3])}};
}

class Payment final : public Plugin {
 public:
  Payment() : Plugin("payment", "0.1.0") {
    const auto key = [](const char* step, const char* undoes = nullptr) {
      return [=](const json& input) {
        return EffectKey{step + ("/" + order(input)), undoes == nullptr ? "" : undoes + ("/" + order(input))};
      };
    };
    effect("charge", key("pay"), charge, "pay");
    effect("authorize", key("pay"), authorize, "pay");
    effect("capture", key("capture"), capture);
    effect("cancel", key("cancel", "pay"), cancel);
    effect(
        "refund",
        [](const json& input) {
          return EffectKey{"refund/" + input.at("refund_id").get<std::string>(), ""};
        },
        refund);
    effect("query", {}, query);
    effect("audit", {}, audit);
  }

 protected:
  void create_tables(EffectStore& db) override {
    db.run(
        "CREATE TABLE IF NOT EXISTS payments (order_id VARCHAR(128) NOT NULL PRIMARY KEY, currency VARCHAR(8) NOT "
        "NULL, "
        "authorized BIGINT NOT NULL, captured BIGINT NOT NULL, voided BIGINT NOT NULL, refunded BIGINT NOT NULL)");
    db.run(
        "CREATE TABLE IF NOT EXISTS money_ledger (order_id VARCHAR(128) NOT NULL, cause VARCHAR(16) NOT NULL, amount "
        "BIGINT NOT NULL)");
  }
};

}  // namespace
}  // namespace skald::plugin

SKALD_PLUGIN(skald::plugin::Payment)
