#include "plugins/payment/provider.h"

#include <utility>

#include "plugins/sdk/activity_error.h"

namespace skald::plugin::payment {

using json = nlohmann::json;

void Provider::create_tables(EffectStore& db) {
  db.run(R"(
    CREATE TABLE IF NOT EXISTS provider_payments (
      payment_key VARCHAR(2048) NOT NULL PRIMARY KEY,
      account VARCHAR(255) NOT NULL,
      order_id VARCHAR(1000) NOT NULL,
      currency VARCHAR(8) NOT NULL,
      authorized BIGINT NOT NULL,
      captured BIGINT NOT NULL,
      voided BIGINT NOT NULL,
      refunded BIGINT NOT NULL,
      CHECK (captured + voided <= authorized),
      CHECK (refunded <= captured),
      CHECK (authorized >= 0 AND captured >= 0 AND voided >= 0 AND refunded >= 0)
    ))");
  db.run(R"(
    CREATE TABLE IF NOT EXISTS provider_operations (
      operation_key VARCHAR(2048) NOT NULL PRIMARY KEY,
      payment_key VARCHAR(2048) NOT NULL,
      operation VARCHAR(16) NOT NULL,
      answer TEXT NOT NULL
    ))");
}

std::optional<json> Provider::find(const std::string& key) {
  const auto rows = db_.run("SELECT answer FROM provider_operations WHERE operation_key = ?", {key});
  if (rows.empty()) return std::nullopt;
  return json::parse(text(rows[0][0]));
}

std::optional<Money> Provider::payment(const std::string& payment) {
  static constexpr std::string_view kOne = R"(
    SELECT currency, authorized, captured, voided, refunded
    FROM provider_payments
    WHERE payment_key = ?
    FOR UPDATE)";
  const auto rows = db_.run(kOne, {payment});
  if (rows.empty()) return std::nullopt;
  const Row& row = rows[0];
  return Money{number(row[1]), number(row[2]), number(row[3]), number(row[4]), text(row[0])};
}

Money Provider::known(const std::string& payment) {
  const auto found = this->payment(payment);
  if (!found) throw ActivityError("PaymentNotFound", "the provider knows no payment " + payment, true);
  return *found;
}

void Provider::write(const std::string& payment, const Money& money) {
  db_.run("UPDATE provider_payments SET captured = ?, voided = ?, refunded = ? WHERE payment_key = ?",
          {money.captured, money.voided, money.refunded, payment});
}

json Provider::record(const std::string& key, const std::string& payment, const std::string& operation, json answer) {
  db_.run("INSERT INTO provider_operations (operation_key, payment_key, operation, answer) VALUES (?, ?, ?, ?)",
          {key, payment, operation, answer.dump()});
  return answer;
}

json Provider::authorize(const std::string& key, const Order& order, int64_t amount, bool capture) {
  const int64_t captured = capture ? amount : 0;
  static constexpr std::string_view kOpen = R"(
    INSERT INTO provider_payments (payment_key, account, order_id, currency, authorized, captured, voided, refunded)
    VALUES (?, ?, ?, ?, ?, ?, 0, 0))";
  db_.run(kOpen, {key, order.account, order.order_id, order.currency, amount, captured});
  return record(key, key, capture ? "charge" : "authorize", {{"authorized", amount}, {"captured", captured}});
}

json Provider::capture(const std::string& key, const std::string& payment, std::optional<int64_t> amount) {
  Money money = known(payment);
  const int64_t taken = amount.value_or(money.open());
  if (taken <= 0 || taken > money.open())
    throw ActivityError("CaptureRefused", "only " + std::to_string(money.open()) + " is authorised and open", true);
  money.captured += taken;
  write(payment, money);
  return record(key, payment, "capture", {{"captured", taken}});
}

json Provider::refund(const std::string& key, const std::string& payment, std::optional<int64_t> amount) {
  Money money = known(payment);
  const int64_t given = amount.value_or(money.refundable());
  if (given < 0 || given > money.refundable()) {
    throw ActivityError("RefundRefused", "at most " + std::to_string(money.refundable()) + " can be refunded", true);
  }
  money.refunded += given;
  write(payment, money);
  return record(key, payment, "refund", {{"refunded", given}});
}

json Provider::cancel(const std::string& key, const std::string& payment) {
  const auto found = this->payment(payment);
  if (!found) {
    if (!find(payment)) record(payment, payment, "close", {{"closed", true}});
    return record(key, payment, "cancel", {{"found", false}});
  }
  Money money = *found;
  const json answer = {{"found", true},
                       {"currency", money.currency},
                       {"authorized", money.authorized},
                       {"captured", money.captured},
                       {"voided", money.open()},
                       {"refunded", money.refundable()}};
  money.voided += money.open();
  money.refunded += money.refundable();
  write(payment, money);
  return record(key, payment, "cancel", answer);
}

}  // namespace skald::plugin::payment
