#include "plugins/logistics/carrier.h"

#include <utility>

#include "plugins/sdk/activity_error.h"

namespace skald::plugin::logistics {

using json = nlohmann::json;

namespace {

// The number of a waybill, from its key: nobody must be asked for the next one. FNV-1a, and the bits spread (murmur3).
int64_t number_of(const std::string& key) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
  hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
  return static_cast<int64_t>((hash ^ hash >> 33) >> 1);
}

std::string printed(int64_t number) { return "W-" + std::to_string(number); }

}  // namespace

void Carrier::create_tables(EffectStore& db) {
  db.run(
      "CREATE TABLE IF NOT EXISTS carrier_waybills (number INTEGER PRIMARY KEY, waybill_key VARCHAR(2048) NOT NULL "
      "UNIQUE, account VARCHAR(255) NOT NULL, country VARCHAR(255) NOT NULL, state VARCHAR(16) NOT NULL CHECK (state "
      "IN "
      "('open', 'cancelled', 'delivered')))");
  db.run(
      "CREATE TABLE IF NOT EXISTS carrier_operations (operation_key VARCHAR(2048) NOT NULL PRIMARY KEY, answer TEXT "
      "NOT "
      "NULL)");
}

std::optional<json> Carrier::find(const std::string& key) {
  const auto rows = db_.run("SELECT answer FROM carrier_operations WHERE operation_key = ?", {key});
  if (rows.empty()) return std::nullopt;
  return json::parse(text(rows[0][0]));
}

json Carrier::record(const std::string& key, json answer) {
  db_.run("INSERT INTO carrier_operations (operation_key, answer) VALUES (?, ?)", {key, answer.dump()});
  return answer;
}

json Carrier::create(const std::string& key, const std::string& account, const std::string& country) {
  const int64_t number = number_of(key);
  db_.run("INSERT INTO carrier_waybills (number, waybill_key, account, country, state) VALUES (?, ?, ?, ?, 'open')",
          {number, key, account, country});
  return record(key, {{"waybill_id", printed(number)}, {"country", country}});
}

json Carrier::end(const std::string& key, const std::string& waybill, const std::string& state,
                  const std::string& refused_after, const std::string& refusal) {
  const auto rows =
      db_.run("SELECT state, number, country FROM carrier_waybills WHERE waybill_key = ? FOR UPDATE", {waybill});
  if (rows.empty()) {
    if (state == "cancelled" && !find(waybill)) record(waybill, {{"closed", true}});
    return record(key, {{"found", false}});
  }
  if (text(rows[0][0]) == refused_after)
    throw ActivityError(refusal, "the carrier has the waybill as " + refused_after, true);
  db_.run("UPDATE carrier_waybills SET state = ? WHERE waybill_key = ?", {state, waybill});
  return record(key, {{"found", true}, {"waybill_id", printed(number(rows[0][1]))}, {"country", text(rows[0][2])}});
}

json Carrier::cancel(const std::string& key, const std::string& waybill) {
  return end(key, waybill, "cancelled", "delivered", "AlreadyDelivered");
}

json Carrier::deliver(const std::string& key, const std::string& waybill) {
  return end(key, waybill, "delivered", "cancelled", "WaybillCancelled");
}

}  // namespace skald::plugin::logistics
