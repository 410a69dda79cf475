#include "plugins/sdk/plugin.h"

// Waybills at a sandbox carrier that lives in this plugin. One waybill an order: waybill id = "W-" + order id.
namespace skald::plugin {
namespace {

std::string order(const json& input) { return input.at("order_id").get<std::string>(); }

json create_waybill(EffectStore& db, const json& input) {
  const std::string id = "W-" + order(input);
  db.run("INSERT INTO waybills (waybill_id, order_id, country, state) VALUES (?, ?, ?, 'created')",
         {id, order(input), input.value("country", "")});
  return {{"waybill_id", id}};
}

json cancel_waybill(EffectStore& db, const json& input) {
  db.run("UPDATE waybills SET state = 'cancelled' WHERE order_id = ?", {order(input)});
  return {{"cancelled", true}};
}

json quote(EffectStore&, const json& input) {
  int64_t pieces = 0;
  for (const json& item : input.at("items")) pieces += item.at("quantity").get<int64_t>();
  return {{"price", 350 + 20 * pieces}};
}

json track(EffectStore& db, const json& input) {
  const auto rows = db.run("SELECT waybill_id, state FROM waybills WHERE order_id = ?", {order(input)});
  if (rows.empty()) throw ActivityError("WaybillNotFound", "order " + order(input) + " has no waybill", true);
  return {{"waybill_id", text(rows[0][0])}, {"state", text(rows[0][1])}};
}

json audit(EffectStore& db, const json&) {
  const Row sums = db.run("SELECT COUNT(*), COALESCE(SUM(state = 'cancelled'),0) FROM waybills")[0];
  return {{"waybills", number(sums[0])}, {"cancelled", number(sums[1])}, {"active", number(sums[0]) - number(sums[1])}};
}

class Logistics final : public Plugin {
 public:
  Logistics() : Plugin("logistics", "0.1.0") {
    effect("quote", {}, quote);
    effect(
        "create_waybill",
        [](const json& input) {
          return EffectKey{"ship/" + order(input), ""};
        },
        create_waybill, "ship");
    effect(
        "cancel_waybill",
        [](const json& input) {
          return EffectKey{"unship/" + order(input), "ship/" + order(input)};
        },
        cancel_waybill);
    effect("track", {}, track);
    effect("audit", {}, audit);
  }

 protected:
  void create_tables(EffectStore& db) override {
    db.run(
        "CREATE TABLE IF NOT EXISTS waybills (waybill_id VARCHAR(140) NOT NULL PRIMARY KEY, order_id VARCHAR(128) NOT "
        "NULL, "
        "country VARCHAR(64) NOT NULL, state VARCHAR(16) NOT NULL)");
  }
};

}  // namespace
}  // namespace skald::plugin

SKALD_PLUGIN(skald::plugin::Logistics)
