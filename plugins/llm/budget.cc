#include "plugins/llm/budget.h"

#include <limits>

#include "plugins/llm/saturating.h"

namespace skald::plugin::llm {
namespace {

using nlohmann::json;

Use used(EffectStore& db, const Account& account) {
  const auto rows = db.run(R"sql(SELECT tokens, cost
          FROM budget_days
          WHERE namespace = ? AND day = ?
          FOR UPDATE)sql",
                           {account.namespace_name, account.day});
  return rows.empty() ? Use() : Use{number(rows[0][0]), number(rows[0][1])};
}

Use reserved(EffectStore& db, const Account& account, int64_t now) {
  Use sum;
  for (const Row& row : db.run(R"sql(SELECT tokens, cost
          FROM budget_reservations
          WHERE namespace = ? AND day = ? AND expires > ?
          FOR UPDATE)sql",
                               {account.namespace_name, account.day, now})) {
    sum.tokens = saturated_sum(sum.tokens, number(row[0]));
    sum.cost_micros = saturated_sum(sum.cost_micros, number(row[1]));
  }
  return sum;
}

// Makes the day's row, which all who reserve lock.
void add(EffectStore& db, const Account& account, const Use& use) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();  // where a sum ends
  db.run(
      R"sql(UPDATE budget_days
          SET tokens = CASE WHEN tokens > ? THEN ? ELSE tokens + ? END,
              cost = CASE WHEN cost > ? THEN ? ELSE cost + ? END
          WHERE namespace = ? AND day = ?)sql",
      {kMost - use.tokens, kMost, use.tokens, kMost - use.cost_micros, kMost, use.cost_micros, account.namespace_name,
       account.day});
  if (db.changed() > 0) return;
  db.run("INSERT INTO budget_days (namespace, day, tokens, cost) VALUES (?, ?, ?, ?)",
         {account.namespace_name, account.day, use.tokens, use.cost_micros});
}

std::string sentence(const Account& account, const char* what, int64_t limit, int64_t taken, int64_t wanted) {
  return "namespace " + account.namespace_name + " may use " + std::to_string(limit) + " " + what + " a day; " +
         std::to_string(taken) + " are used or reserved, and this call may need " + std::to_string(wanted);
}

}  // namespace

void create_budget_tables(EffectStore& db) {
  db.run(
      R"sql(CREATE TABLE IF NOT EXISTS budget_days (
            namespace VARCHAR(255) NOT NULL,
            day VARCHAR(10) NOT NULL,
            tokens BIGINT NOT NULL,
            cost BIGINT NOT NULL,
            PRIMARY KEY (namespace, day)))sql");
  db.run(
      R"sql(CREATE TABLE IF NOT EXISTS budget_reservations (
            reservation_key VARCHAR(255) NOT NULL PRIMARY KEY,
            namespace VARCHAR(255) NOT NULL,
            day VARCHAR(10) NOT NULL,
            tokens BIGINT NOT NULL,
            cost BIGINT NOT NULL,
            expires BIGINT NOT NULL))sql");
  db.run("CREATE INDEX IF NOT EXISTS reservations_of_day ON budget_reservations (namespace, day)");
}

std::string reserve(EffectStore& db, const Account& account, const std::string& key, const Use& use,
                    const Budget& budget, int64_t now, int64_t expires_ms) {
  add(db, account, {});
  const Use before = used(db, account);
  db.run("DELETE FROM budget_reservations WHERE reservation_key = ?", {key});
  db.run("DELETE FROM budget_reservations WHERE namespace = ? AND day = ? AND expires <= ?",
         {account.namespace_name, account.day, now});
  const Use open = reserved(db, account, now);
  const int64_t tokens = saturated_sum(before.tokens, open.tokens),
                cost = saturated_sum(before.cost_micros, open.cost_micros);
  if (budget.tokens && saturated_sum(tokens, use.tokens) > *budget.tokens)
    return sentence(account, "tokens", *budget.tokens, tokens, use.tokens);
  if (budget.cost_micros && saturated_sum(cost, use.cost_micros) > *budget.cost_micros)
    return sentence(account, "micro-units", *budget.cost_micros, cost, use.cost_micros);
  db.run(
      R"sql(INSERT INTO budget_reservations (reservation_key, namespace, day, tokens, cost, expires)
          VALUES (?, ?, ?, ?, ?, ?))sql",
      {key, account.namespace_name, account.day, use.tokens, use.cost_micros, expires_ms});
  return {};
}

void settle(EffectStore& db, const Account& account, const std::string& key, const Use& use) {
  if (use.tokens != 0 || use.cost_micros != 0) add(db, account, use);
  db.run("DELETE FROM budget_reservations WHERE reservation_key = ?", {key});
}

json usage(EffectStore& db, const Account& account, const Budget& budget, int64_t now) {
  const Use use = used(db, account), open = reserved(db, account, now);
  json limits = json::object();
  if (budget.tokens) limits["tokens_per_day"] = *budget.tokens;
  if (budget.cost_micros) limits["cost_micros_per_day"] = *budget.cost_micros;
  return {{"namespace", account.namespace_name},
          {"day", account.day},
          {"tokens", use.tokens},
          {"cost_micros", use.cost_micros},
          {"reserved", {{"tokens", open.tokens}, {"cost_micros", open.cost_micros}}},
          {"budget", limits}};
}

}  // namespace skald::plugin::llm
