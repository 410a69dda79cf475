#include "plugins/logistics/carrier.h"
#include "plugins/sdk/fields.h"
#include "plugins/sdk/plugin.h"

// Waybills by order. The carrier issues them and has books of its own; ours are written from its answers, which may get
// lost: so each step asks first whether the carrier has done it already. A waybill is known by the key of the effect
// that made it.
namespace skald::plugin::logistics {
namespace {

constexpr int64_t kMostPieces = 1000000000;
constexpr int64_t kBasePrice = 350;
constexpr int64_t kPiecePrice = 20;
constexpr size_t kMostWarehouses = 100;

// What a carrier takes, in percent of the quote, and how long it needs; within a country, and beyond its border.
struct Tariff {
  const char* carrier;
  int64_t home_percent, abroad_percent;
  int64_t home_days, abroad_days;
};
constexpr Tariff kTariffs[] = {{"economy", 70, 140, 5, 10}, {"standard", 100, 200, 3, 6}, {"express", 220, 400, 1, 2}};

constexpr std::string_view kWaybills = R"(
  CREATE TABLE IF NOT EXISTS waybills (
    waybill_key VARCHAR(2048) NOT NULL PRIMARY KEY,
    namespace VARCHAR(255) NOT NULL,
    order_id VARCHAR(1000) NOT NULL,
    shipment_id VARCHAR(1000) NOT NULL,
    waybill_id VARCHAR(64) NOT NULL,
    country VARCHAR(255) NOT NULL,
    state VARCHAR(16) NOT NULL
  ))";
constexpr std::string_view kWaybillsOfOrder =
    "CREATE INDEX IF NOT EXISTS waybills_of_order ON waybills (namespace, order_id)";

std::string order(const json& input) { return required_text(input, "order_id"); }
std::string shipment(const json& input) { return text_or(input, "shipment_id", "order_id"); }

// A shipment of an order, or one of several. Keys of the first form have its id alone.
EffectId shipment_named(const json& input) {
  EffectId id = {{"order_id", order(input)}, {"shipment_id", shipment(input)}};
  id.set_former(shipment(input));
  return id;
}

// Asks the carrier what it has done under this effect's key; it acts only if that is nothing.
template <typename Act>
json ask_first(EffectCall& call, Act act) {
  Carrier carrier(call.db);
  if (auto done = carrier.find(call.key)) return *std::move(done);
  return act(carrier);
}

// The waybill of that shipment, else the order's only one that is not cancelled, else its only one.
std::string find_waybill(EffectCall& call) {
  const auto known = [&] { return !call.db.run("SELECT 1 FROM waybills WHERE waybill_key = ?", {call.of}).empty(); };
  if (!call.of.empty() && known()) return call.of;
  static constexpr std::string_view kOfOrder = R"(
    SELECT waybill_key, shipment_id, state
    FROM waybills
    WHERE namespace = ? AND order_id = ?)";
  std::vector<std::string> all, live;
  for (const Row& row : call.db.run(kOfOrder, {call.context.namespace_name, order(call.input)})) {
    if (has_field(call.input, "shipment_id") && text(row[1]) != shipment(call.input)) continue;
    all.push_back(text(row[0]));
    if (text(row[2]) != "cancelled") live.push_back(text(row[0]));
  }
  const auto& candidates = live.empty() ? all : live;
  if (candidates.empty())
    throw ActivityError("WaybillNotFound", "order " + order(call.input) + " has no such waybill", true);
  if (candidates.size() > 1) {
    throw ActivityError("WaybillAmbiguous",
                        "order " + order(call.input) + " has several waybills: say which by shipment_id", true);
  }
  return candidates[0];
}

// Which waybill it is about is decided before the carrier is asked, and stands.
json decide_waybill(EffectCall& call) { return find_waybill(call); }
std::string waybill_of(const EffectCall& call) { return call.decision.get<std::string>(); }

int64_t price(const json& input) {
  int64_t pieces = 0;
  size_t place = 0;
  for (const json& item : required_list(input, "items"))
    pieces += whole_number(item, "quantity", 1, kMostPieces, "items[" + std::to_string(place++) + "].");
  return kBasePrice + kPiecePrice * pieces;
}

json quote(EffectCall& call) { return {{"price", price(call.input)}}; }

// Each warehouse with each carrier: what it costs and what is promised.
json candidates(EffectCall& call) {
  const int64_t quoted = price(call.input);
  const std::string country = optional_text(call.input, "country");
  const json& warehouses = required_list(call.input, "warehouses");
  if (warehouses.size() > kMostWarehouses)
    refuse_input("there are more than " + std::to_string(kMostWarehouses) + " warehouses");
  json all = json::array();
  for (size_t place = 0; place < warehouses.size(); ++place) {
    const std::string where = "warehouses[" + std::to_string(place) + "].";
    const std::string name = required_text(warehouses[place], "name", where);
    const bool home = required_text(warehouses[place], "country", where) == country;
    for (const Tariff& tariff : kTariffs) {
      json one = {{"id", name + "/" + tariff.carrier},
                  {"warehouse", name},
                  {"carrier", tariff.carrier},
                  {"cost", quoted * (home ? tariff.home_percent : tariff.abroad_percent) / 100},
                  {"promise_days", home ? tariff.home_days : tariff.abroad_days}};
      if (has_field(warehouses[place], "stock"))
        one["stock"] = whole_number(warehouses[place], "stock", 0, kMostPieces, where);
      all.push_back(std::move(one));
    }
  }
  return {{"candidates", std::move(all)}};
}

json create_at_carrier(EffectCall& call) {
  order(call.input);
  return ask_first(call, [&](Carrier& carrier) {
    return carrier.create(call.key, call.context.namespace_name, optional_text(call.input, "country"));
  });
}

void write(EffectCall& call, const std::string& key, const std::string& state) {
  call.db.run(
      "INSERT INTO waybills (waybill_key, namespace, order_id, shipment_id, waybill_id, country, state) VALUES (?, ?, "
      "?, "
      "?, ?, ?, ?)",
      {key, call.context.namespace_name, order(call.input), shipment(call.input),
       call.partner["waybill_id"].get<std::string>(), call.partner["country"].get<std::string>(), state});
}

json create_in_books(EffectCall& call) {
  write(call, call.key, "open");
  return {{"waybill_id", call.partner["waybill_id"]}};
}

json cancel_at_carrier(EffectCall& call) {
  return ask_first(call, [&](Carrier& carrier) { return carrier.cancel(call.key, call.undoes); });
}

// What the carrier made without our hearing of it comes into the books now, cancelled.
json cancel_in_books(EffectCall& call) {
  if (!call.partner["found"].get<bool>()) return {{"undone", false}};
  call.db.run("UPDATE waybills SET state = 'cancelled' WHERE waybill_key = ?", {call.undoes});
  if (call.db.changed() == 0) write(call, call.undoes, "cancelled");
  return {{"undone", true}, {"waybill_id", call.partner["waybill_id"]}};
}

json deliver_at_carrier(EffectCall& call) {
  return ask_first(call, [&](Carrier& carrier) { return carrier.deliver(call.key, waybill_of(call)); });
}

json deliver_in_books(EffectCall& call) {
  call.db.run("UPDATE waybills SET state = 'delivered' WHERE waybill_key = ?", {waybill_of(call)});
  return {{"waybill_id", call.partner["waybill_id"]}};
}

json track(EffectCall& call) {
  const Row row = call.db.run("SELECT waybill_id, state FROM waybills WHERE waybill_key = ?", {find_waybill(call)})[0];
  return {{"waybill_id", text(row[0])}, {"state", text(row[1])}};
}

json audit(EffectCall& call) {
  const std::string& ns = call.context.namespace_name;
  const Row sums = call.db.run(
      "SELECT COUNT(*), COALESCE(SUM(state = 'open'),0), COALESCE(SUM(state = 'cancelled'),0), COALESCE(SUM(state = "
      "'delivered'),0) FROM waybills WHERE namespace = ?",
      {ns})[0];
  const int64_t different = number(
      call.db.run("SELECT COUNT(*) FROM carrier_waybills c LEFT JOIN waybills o ON o.waybill_key = c.waybill_key "
                  "WHERE c.account = ? AND (o.waybill_key IS NULL OR o.state <> c.state)",
                  {ns})[0][0]);
  const int64_t invented =
      number(call.db.run("SELECT COUNT(*) FROM waybills o WHERE o.namespace = ? AND NOT EXISTS (SELECT 1 FROM "
                         "carrier_waybills c WHERE c.waybill_key = o.waybill_key)",
                         {ns})[0][0]);
  const int64_t counted = number(sums[1]) + number(sums[2]) + number(sums[3]);
  return {{"balanced", counted == number(sums[0]) && different + invented == 0},
          {"waybills", number(sums[0])},
          {"open", number(sums[1])},
          {"cancelled", number(sums[2])},
          {"delivered", number(sums[3])},
          {"unresolved", different + invented}};
}

class Logistics final : public Plugin {
 public:
  Logistics() : Plugin("logistics", "0.1.0") {
    allow_sandbox_faults();
    effect("quote", {.run = quote, .reads = true});
    effect("candidates", {.run = candidates, .reads = true});
    effect("create_waybill", {.step = "ship",
                              .reference = shipment_named,
                              .binding = {"country"},
                              .partner = create_at_carrier,
                              .run = create_in_books});
    effect("cancel_waybill", {.step = "unship",
                              .undoes = "ship",
                              .reference = shipment_named,
                              .partner = cancel_at_carrier,
                              .run = cancel_in_books});
    effect("deliver", {.step = "deliver",
                       .of = "ship",
                       .of_which = shipment_named,
                       .reference = shipment_named,
                       .decide = decide_waybill,
                       .partner = deliver_at_carrier,
                       .run = deliver_in_books});
    effect("track", {.of = "ship", .of_which = shipment_named, .run = track, .reads = true});
    effect("audit", {.run = audit, .reads = true});
  }

 protected:
  void create_tables(EffectStore& db) override {
    Carrier::create_tables(db);
    for (const std::string_view table : {kWaybills, kWaybillsOfOrder}) db.run(table);
  }
};

}  // namespace
}  // namespace skald::plugin::logistics

SKALD_PLUGIN(skald::plugin::logistics::Logistics)
