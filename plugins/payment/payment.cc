#include "plugins/payment/provider.h"
#include "plugins/sdk/fields.h"
#include "plugins/sdk/plugin.h"

// Payments by order, in minor units. The provider takes the money and keeps its books; ours are written from its
// answers, which may get lost: so each step asks first whether the provider has done it already. A payment is known by
// the key of the effect that opened it.
namespace skald::plugin::payment {
namespace {

constexpr int64_t kMostAmount = 1000000000000000;
constexpr int64_t kMostListed = 1000;

const char* const kPayments =
    "CREATE TABLE IF NOT EXISTS payments (payment_key VARCHAR(2048) NOT NULL PRIMARY KEY, namespace VARCHAR(255) NOT "
    "NULL, order_id VARCHAR(1000) NOT NULL, payment_id VARCHAR(1000) NOT NULL, currency VARCHAR(8) NOT NULL, "
    "authorized "
    "BIGINT NOT NULL, captured BIGINT NOT NULL, voided BIGINT NOT NULL, refunded BIGINT NOT NULL)";
const char* const kPaymentsOfOrder = "CREATE INDEX IF NOT EXISTS payments_of_order ON payments (namespace, order_id)";
const char* const kMoney =
    "CREATE TABLE IF NOT EXISTS money_ledger (namespace VARCHAR(255) NOT NULL, payment_key VARCHAR(2048) NOT NULL, "
    "cause "
    "VARCHAR(16) NOT NULL, amount BIGINT NOT NULL)";

std::string order(const json& input) { return required_text(input, "order_id"); }
std::string payment_id(const json& input) { return text_or(input, "payment_id", "order_id"); }

std::function<std::string(const json&)> reference(const char* field) {
  return [field](const json& input) {
    return has_field(input, field) ? effect_key({payment_id(input), required_text(input, field)}) : payment_id(input);
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

// The workflow's own payment, else the order's only one that still holds money, else its only one.
std::string payment_of(EffectCall& call) {
  const std::string own =
      effect_key({call.context.namespace_name, call.context.workflow_id, "pay", payment_id(call.input)});
  if (!call.db.run("SELECT 1 FROM payments WHERE payment_key = ?", {own}).empty()) return own;
  std::vector<std::string> all, live;
  for (const Row& row : call.db.run("SELECT payment_key, payment_id, authorized - voided - refunded FROM payments "
                                    "WHERE namespace = ? AND order_id "
                                    "= ?",
                                    {call.context.namespace_name, order(call.input)})) {
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

void book(EffectCall& call, const std::string& payment, const std::string& cause, int64_t sum) {
  if (sum == 0) return;
  call.db.run("INSERT INTO money_ledger (namespace, payment_key, cause, amount) VALUES (?, ?, ?, ?)",
              {call.context.namespace_name, payment, cause, sum});
}

void book_opened(EffectCall& call, const std::string& payment, int64_t authorized, int64_t captured) {
  call.db.run(
      "INSERT INTO payments (payment_key, namespace, order_id, payment_id, currency, authorized, captured, voided, "
      "refunded) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)",
      {payment, call.context.namespace_name, order(call.input), payment_id(call.input),
       optional_text(call.input, "currency"), authorized, captured});
  book(call, payment, "authorize", authorized);
  book(call, payment, "capture", captured);
}

template <bool capture>
json open_at_provider(EffectCall& call) {
  return ask_first(call, [&](Provider& provider) {
    const Provider::Order opened{call.context.namespace_name, order(call.input), optional_text(call.input, "currency")};
    return provider.authorize(call.key, opened, whole_number(call.input, "amount", 1, kMostAmount), capture);
  });
}

json open_in_books(EffectCall& call) {
  book_opened(call, call.key, call.partner["authorized"], call.partner["captured"]);
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
    book_opened(call, call.undoes, done["authorized"], done["captured"]);
    book_end(call, call.undoes, voided, refunded);
  }
  book(call, call.undoes, "void", voided);
  book(call, call.undoes, "refund", refunded);
  return {{"undone", true}, {"voided", voided}, {"refunded", refunded}};
}

json query(EffectCall& call) {
  const Row row =
      call.db.run("SELECT payment_id, authorized, captured, voided, refunded FROM payments WHERE payment_key = ?",
                  {payment_of(call)})[0];
  return {{"payment_id", text(row[0])},
          {"authorized", number(row[1])},
          {"captured", number(row[2])},
          {"voided", number(row[3])},
          {"refunded", number(row[4])}};
}

// A page of the sums of each order, from the one after "after".
json orders(EffectCall& call) {
  const int64_t limit = has_field(call.input, "limit") ? whole_number(call.input, "limit", 1, kMostListed) : 100;
  json page = json::array();
  for (const Row& row : call.db.run("SELECT order_id, SUM(authorized), SUM(captured), SUM(voided), SUM(refunded) FROM "
                                    "payments WHERE namespace = ? "
                                    "AND order_id > ? GROUP BY order_id ORDER BY order_id LIMIT ?",
                                    {call.context.namespace_name, optional_text(call.input, "after"), limit})) {
    page.push_back({{"order_id", text(row[0])},
                    {"authorized", number(row[1])},
                    {"captured", number(row[2])},
                    {"voided", number(row[3])},
                    {"refunded", number(row[4])}});
  }
  return page;
}

// How many payments the provider and we do not agree about.
int64_t unresolved(EffectCall& call) {
  const std::string& ns = call.context.namespace_name;
  const int64_t different = number(call.db.run(
      "SELECT COUNT(*) FROM provider_payments p LEFT JOIN payments o ON o.payment_key = p.payment_key WHERE "
      "p.account = ? AND (o.payment_key IS NULL OR o.authorized <> p.authorized OR o.captured <> p.captured "
      "OR o.voided <> p.voided OR o.refunded <> p.refunded)",
      {ns})[0][0]);
  const int64_t invented =
      number(call.db.run("SELECT COUNT(*) FROM payments o WHERE o.namespace = ? AND NOT EXISTS (SELECT 1 FROM "
                         "provider_payments p WHERE p.payment_key = o.payment_key)",
                         {ns})[0][0]);
  return different + invented;
}

json audit(EffectCall& call) {
  const std::string& ns = call.context.namespace_name;
  const Row sums = call.db.run(
      "SELECT COUNT(*), COALESCE(SUM(authorized),0), COALESCE(SUM(captured),0), COALESCE(SUM(voided),0), "
      "COALESCE(SUM(refunded),0), COALESCE(SUM(captured + voided > authorized OR refunded > captured),0) FROM payments "
      "WHERE namespace = ?",
      {ns})[0];
  const auto booked = [&](const char* cause) {
    return number(call.db.run("SELECT COALESCE(SUM(amount),0) FROM money_ledger WHERE namespace = ? AND cause = ?",
                              {ns, std::string(cause)})[0][0]);
  };
  const bool agrees = booked("authorize") == number(sums[1]) && booked("capture") == number(sums[2]) &&
                      booked("void") == number(sums[3]) && booked("refund") == number(sums[4]);
  const int64_t disputed = unresolved(call);
  json result = {{"balanced", number(sums[5]) == 0 && agrees && disputed == 0},
                 {"payments", number(sums[0])},
                 {"authorized", number(sums[1])},
                 {"captured", number(sums[2])},
                 {"voided", number(sums[3])},
                 {"refunded", number(sums[4])},
                 {"open", number(sums[1]) - number(sums[2]) - number(sums[3])},
                 {"unresolved", disputed}};
  if (optional_flag(call.input, "per_order")) result["orders"] = orders(call);
  return result;
}

class Payment final : public Plugin {
 public:
  Payment() : Plugin("payment", "0.1.0") {
    allow_sandbox_faults();
    effect("charge", {.step = "pay",
                      .reference = payment_id,
                      .binding = {"amount", "currency"},
                      .partner = open_at_provider<true>,
                      .run = open_in_books});
    effect("authorize", {.step = "pay",
                         .reference = payment_id,
                         .binding = {"amount", "currency"},
                         .partner = open_at_provider<false>,
                         .run = open_in_books});
    effect("capture", {.step = "capture",
                       .reference = reference("capture_id"),
                       .binding = {"amount"},
                       .partner = capture_at_provider,
                       .run = capture_in_books});
    effect("refund", {.step = "refund",
                      .reference = reference("refund_id"),
                      .binding = {"amount"},
                      .partner = refund_at_provider,
                      .run = refund_in_books});
    effect("cancel", {.step = "cancel",
                      .undoes = "pay",
                      .reference = payment_id,
                      .partner = cancel_at_provider,
                      .run = cancel_in_books});
    effect("query", {.run = query});
    effect("audit", {.run = audit});
  }

 protected:
  void create_tables(EffectStore& db) override {
    Provider::create_tables(db);
    for (const char* table : {kPayments, kPaymentsOfOrder, kMoney}) db.run(table);
  }
};

}  // namespace
}  // namespace skald::plugin::payment

SKALD_PLUGIN(skald::plugin::payment::Payment)
