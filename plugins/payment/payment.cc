#include "plugins/payment/audit.h"
#include "plugins/payment/provider.h"
#include "plugins/sdk/currency.h"
#include "plugins/sdk/fields.h"
#include "plugins/sdk/plugin.h"

// Payments by order, in minor units. The provider takes the money and keeps its books; ours are written from its
// answers, which may get lost: so each step asks first whether the provider has done it already. A payment is known by
// the key of the effect that opened it.
namespace skald::plugin::payment {
namespace {

constexpr int64_t kMostAmount = 1000000000000000;

constexpr std::string_view kPayments = R"(
  CREATE TABLE IF NOT EXISTS payments (
    payment_key VARCHAR(2048) NOT NULL PRIMARY KEY,
    namespace VARCHAR(255) NOT NULL,
    order_id VARCHAR(1000) NOT NULL,
    payment_id VARCHAR(1000) NOT NULL,
    currency VARCHAR(8) NOT NULL,
    authorized BIGINT NOT NULL,
    captured BIGINT NOT NULL,
    voided BIGINT NOT NULL,
    refunded BIGINT NOT NULL
  ))";
constexpr std::string_view kPaymentsOfOrder =
    "CREATE INDEX IF NOT EXISTS payments_of_order ON payments (namespace, order_id)";
constexpr std::string_view kMoney = R"(
  CREATE TABLE IF NOT EXISTS money_ledger (
    namespace VARCHAR(255) NOT NULL,
    payment_key VARCHAR(2048) NOT NULL,
    cause VARCHAR(16) NOT NULL,
    amount BIGINT NOT NULL
  ))";

std::string order(const json& input) { return required_text(input, "order_id"); }
std::string payment_id(const json& input) { return text_or(input, "payment_id", "order_id"); }

// A payment of an order, or one of several. Keys of the first form have its id alone.
EffectId payment_named(const json& input) {
  EffectId id = {{"order_id", order(input)}, {"payment_id", payment_id(input)}};
  id.set_former(payment_id(input));
  return id;
}

// What is done with a payment, once or, by a reference, several times.
Effect::Reference done_with_payment(const char* field) {
  return [field](const json& input) {
    EffectId id = payment_named(input);
    if (!has_field(input, field)) return id;
    id.add(field, required_text(input, field));
    id.set_former(effect_key({payment_id(input), required_text(input, field)}));
    return id;
  };
}

std::optional<int64_t> amount(const json& input) {
  if (!has_field(input, "amount")) return std::nullopt;
  return whole_number(input, "amount", 0, kMostAmount);
}

// Asks the provider what it has done under this effect's key; it acts only if that is nothing.
template <typename Act>
json ask_first(EffectCall& call, Act act) {
  Provider provider(call.db);
  if (auto done = provider.find(call.key)) return *std::move(done);
  return act(provider);
}

// The payment of that id, else the order's only one that still holds money, else its only one.
std::string find_payment(EffectCall& call) {
  const auto known = [&] { return !call.db.run("SELECT 1 FROM payments WHERE payment_key = ?", {call.of}).empty(); };
  if (!call.of.empty() && known()) return call.of;
  static constexpr std::string_view kOfOrder = R"(
    SELECT payment_key, payment_id, authorized - voided - refunded
    FROM payments
    WHERE namespace = ? AND order_id = ?)";
  std::vector<std::string> all, live;
  for (const Row& row : call.db.run(kOfOrder, {call.context.namespace_name, order(call.input)})) {
    if (has_field(call.input, "payment_id") && text(row[1]) != payment_id(call.input)) continue;
    all.push_back(text(row[0]));
    if (number(row[2]) > 0) live.push_back(text(row[0]));
  }
  const auto& candidates = live.empty() ? all : live;
  if (candidates.empty())
    throw ActivityError("PaymentNotFound", "order " + order(call.input) + " has no such payment", true);
  if (candidates.size() > 1) {
    throw ActivityError("PaymentAmbiguous",
                        "order " + order(call.input) + " has several payments: say which by payment_id", true);
  }
  return candidates[0];
}

// Which payment it is about is decided before the provider is asked, and stands: another payment of the order that
// comes meanwhile changes nothing.
json decide_payment(EffectCall& call) {
  const std::string payment = find_payment(call);
  const std::string currency =
      text(call.db.run("SELECT currency FROM payments WHERE payment_key = ?", {payment}).at(0)[0]);
  if (has_field(call.input, "currency") && !currency.empty() && required_currency(call.input) != currency) {
    throw ActivityError("CurrencyMismatch",
                        "the payment of order " + order(call.input) + " is in " + currency + ", and not in " +
                            required_currency(call.input),
                        true);
  }
  return payment;
}

std::string payment_of(const EffectCall& call) { return call.decision.get<std::string>(); }

void book(EffectCall& call, const std::string& payment, const std::string& cause, int64_t sum) {
  if (sum == 0) return;
  call.db.run("INSERT INTO money_ledger (namespace, payment_key, cause, amount) VALUES (?, ?, ?, ?)",
              {call.context.namespace_name, payment, cause, sum});
}

void book_opened(EffectCall& call, const std::string& payment, const std::string& currency, int64_t authorized,
                 int64_t captured) {
  static constexpr std::string_view kOpen = R"(
    INSERT INTO payments (payment_key, namespace, order_id, payment_id, currency, authorized, captured, voided,
                          refunded)
    VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0))";
  call.db.run(kOpen, {payment, call.context.namespace_name, order(call.input), payment_id(call.input), currency,
                      authorized, captured});
  book(call, payment, "authorize", authorized);
  book(call, payment, "capture", captured);
}

template <bool capture>
json open_at_provider(EffectCall& call) {
  return ask_first(call, [&](Provider& provider) {
    const Provider::Order opened{call.context.namespace_name, order(call.input), required_currency(call.input)};
    return provider.authorize(call.key, opened, whole_number(call.input, "amount", 1, kMostAmount), capture);
  });
}

json open_in_books(EffectCall& call) {
  book_opened(call, call.key, required_currency(call.input), call.partner["authorized"], call.partner["captured"]);
  return {{"payment_id", payment_id(call.input)},
          {"authorized", call.partner["authorized"]},
          {"captured", call.partner["captured"]}};
}

json capture_at_provider(EffectCall& call) {
  return ask_first(call, [&](Provider& p) { return p.capture(call.key, payment_of(call), amount(call.input)); });
}

json capture_in_books(EffectCall& call) {
  const std::string payment = payment_of(call);
  const int64_t sum = call.partner["captured"];
  call.db.run("UPDATE payments SET captured = captured + ? WHERE payment_key = ?", {sum, payment});
  book(call, payment, "capture", sum);
  return {{"captured", sum}};
}

json refund_at_provider(EffectCall& call) {
  return ask_first(call, [&](Provider& p) { return p.refund(call.key, payment_of(call), amount(call.input)); });
}

json refund_in_books(EffectCall& call) {
  const std::string payment = payment_of(call);
  const int64_t sum = call.partner["refunded"];
  call.db.run("UPDATE payments SET refunded = refunded + ? WHERE payment_key = ?", {sum, payment});
  book(call, payment, "refund", sum);
  return {{"refunded", sum}};
}

json cancel_at_provider(EffectCall& call) {
  return ask_first(call, [&](Provider& p) { return p.cancel(call.key, call.undoes); });
}

// Whether there is such a payment in the books.
bool book_end(EffectCall& call, const std::string& payment, int64_t voided, int64_t refunded) {
  call.db.run("UPDATE payments SET voided = voided + ?, refunded = refunded + ? WHERE payment_key = ?",
              {voided, refunded, payment});
  return call.db.changed() > 0;
}

// What the provider took without our hearing of it comes into the books now, with its end.
json cancel_in_books(EffectCall& call) {
  const json& done = call.partner;
  if (!done["found"].get<bool>()) return {{"undone", false}};
  const int64_t voided = done["voided"], refunded = done["refunded"];
  if (!book_end(call, call.undoes, voided, refunded)) {
    book_opened(call, call.undoes, done.value("currency", ""), done["authorized"], done["captured"]);
    book_end(call, call.undoes, voided, refunded);
  }
  book(call, call.undoes, "void", voided);
  book(call, call.undoes, "refund", refunded);
  return {{"undone", true}, {"voided", voided}, {"refunded", refunded}};
}

json query(EffectCall& call) {
  static constexpr std::string_view kOne = R"(
    SELECT payment_id, currency, authorized, captured, voided, refunded
    FROM payments
    WHERE payment_key = ?)";
  const Row row = call.db.run(kOne, {find_payment(call)})[0];
  return {{"payment_id", text(row[0])}, {"currency", text(row[1])}, {"authorized", number(row[2])},
          {"captured", number(row[3])}, {"voided", number(row[4])}, {"refunded", number(row[5])}};
}

class Payment final : public Plugin {
 public:
  Payment() : Plugin("payment", "0.1.0") {
    allow_sandbox_faults();
    effect("charge", {.step = "pay",
                      .reference = payment_named,
                      .binding = {"amount", "currency"},
                      .partner = open_at_provider<true>,
                      .run = open_in_books});
    effect("authorize", {.step = "pay",
                         .reference = payment_named,
                         .binding = {"amount", "currency"},
                         .partner = open_at_provider<false>,
                         .run = open_in_books});
    effect("capture", {.step = "capture",
                       .of = "pay",
                       .of_which = payment_named,
                       .reference = done_with_payment("capture_id"),
                       .binding = {"amount", "currency"},
                       .decide = decide_payment,
                       .partner = capture_at_provider,
                       .run = capture_in_books});
    effect("refund", {.step = "refund",
                      .of = "pay",
                      .of_which = payment_named,
                      .reference = done_with_payment("refund_id"),
                      .binding = {"amount", "currency"},
                      .decide = decide_payment,
                      .partner = refund_at_provider,
                      .run = refund_in_books});
    effect("cancel", {.step = "cancel",
                      .undoes = "pay",
                      .reference = payment_named,
                      .partner = cancel_at_provider,
                      .run = cancel_in_books});
    effect("query", {.of = "pay", .of_which = payment_named, .run = query, .reads = true});
    effect("audit", {.run = audit, .reads = true});
  }

 protected:
  void create_tables(EffectStore& db) override {
    Provider::create_tables(db);
    for (const std::string_view table : {kPayments, kPaymentsOfOrder, kMoney}) db.run(table);
  }
};

}  // namespace
}  // namespace skald::plugin::payment

SKALD_PLUGIN(skald::plugin::payment::Payment)
