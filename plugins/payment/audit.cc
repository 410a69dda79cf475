#include "plugins/payment/audit.h"

#include <map>

#include "plugins/sdk/fields.h"

namespace skald::plugin::payment {
namespace {

constexpr int64_t kMostListed = 1000;

struct Sums {
  int64_t payments = 0, authorized = 0, captured = 0, voided = 0, refunded = 0, wrong = 0;
};
using ByCurrency = std::map<std::string, Sums>;

ByCurrency sums_of_payments(EffectCall& call) {
  static constexpr std::string_view kSums = R"(
    SELECT currency, COUNT(*), SUM(authorized), SUM(captured), SUM(voided), SUM(refunded),
           SUM(captured + voided > authorized OR refunded > captured)
    FROM payments
    WHERE namespace = ?
    GROUP BY currency)";
  ByCurrency sums;
  for (const Row& row : call.db.run(kSums, {call.context.namespace_name})) {
    sums[text(row[0])] = {number(row[1]), number(row[2]), number(row[3]),
                          number(row[4]), number(row[5]), number(row[6])};
  }
  return sums;
}

ByCurrency sums_of_journal(EffectCall& call) {
  static constexpr std::string_view kSums = R"(
    SELECT p.currency, m.cause, SUM(m.amount)
    FROM money_ledger m
    JOIN payments p ON p.payment_key = m.payment_key
    WHERE m.namespace = ?
    GROUP BY p.currency, m.cause)";
  ByCurrency sums;
  for (const Row& row : call.db.run(kSums, {call.context.namespace_name})) {
    Sums& of = sums[text(row[0])];
    if (text(row[1]) == "authorize") of.authorized = number(row[2]);
    if (text(row[1]) == "capture") of.captured = number(row[2]);
    if (text(row[1]) == "void") of.voided = number(row[2]);
    if (text(row[1]) == "refund") of.refunded = number(row[2]);
  }
  return sums;
}

// A page of the sums of each order and currency, from the order after "after".
json orders(EffectCall& call) {
  static constexpr std::string_view kPage = R"(
    SELECT order_id, currency, SUM(authorized), SUM(captured), SUM(voided), SUM(refunded)
    FROM payments
    WHERE namespace = ? AND order_id > ?
    GROUP BY order_id, currency
    ORDER BY order_id, currency
    LIMIT ?)";
  const int64_t limit = has_field(call.input, "limit") ? whole_number(call.input, "limit", 1, kMostListed) : 100;
  json page = json::array();
  for (const Row& row : call.db.run(kPage, {call.context.namespace_name, optional_text(call.input, "after"), limit})) {
    page.push_back({{"order_id", text(row[0])},
                    {"currency", text(row[1])},
                    {"authorized", number(row[2])},
                    {"captured", number(row[3])},
                    {"voided", number(row[4])},
                    {"refunded", number(row[5])}});
  }
  return page;
}

// How many payments the provider and we do not agree about.
int64_t unresolved(EffectCall& call) {
  static constexpr std::string_view kDifferent = R"(
    SELECT COUNT(*)
    FROM provider_payments p
    LEFT JOIN payments o ON o.payment_key = p.payment_key
    WHERE p.account = ?
      AND (o.payment_key IS NULL OR o.currency <> p.currency OR o.authorized <> p.authorized
           OR o.captured <> p.captured OR o.voided <> p.voided OR o.refunded <> p.refunded))";
  static constexpr std::string_view kInvented = R"(
    SELECT COUNT(*)
    FROM payments o
    WHERE o.namespace = ?
      AND NOT EXISTS (SELECT 1 FROM provider_payments p WHERE p.payment_key = o.payment_key))";
  const std::string& ns = call.context.namespace_name;
  return number(call.db.run(kDifferent, {ns})[0][0]) + number(call.db.run(kInvented, {ns})[0][0]);
}

}  // namespace

json audit(EffectCall& call) {
  const ByCurrency payments = sums_of_payments(call);
  ByCurrency journal = sums_of_journal(call);
  json currencies = json::object();
  int64_t count = 0;
  bool balanced = true;
  for (const auto& [currency, sums] : payments) {
    const Sums& booked = journal[currency];
    count += sums.payments;
    balanced = balanced && sums.wrong == 0 && booked.authorized == sums.authorized &&
               booked.captured == sums.captured && booked.voided == sums.voided && booked.refunded == sums.refunded;
    currencies[currency] = {{"payments", sums.payments}, {"authorized", sums.authorized},
                            {"captured", sums.captured}, {"voided", sums.voided},
                            {"refunded", sums.refunded}, {"open", sums.authorized - sums.captured - sums.voided}};
  }
  const int64_t disputed = unresolved(call);
  json result = {{"balanced", balanced && disputed == 0},
                 {"payments", count},
                 {"currencies", std::move(currencies)},
                 {"unresolved", disputed}};
  if (optional_flag(call.input, "per_order")) result["orders"] = orders(call);
  return result;
}

}  // namespace skald::plugin::payment
