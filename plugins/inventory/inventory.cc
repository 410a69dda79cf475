#include <map>

#include "plugins/sdk/fields.h"
#include "plugins/sdk/plugin.h"

// Stock by article, and reservations by the effect that made them. All of one namespace: two namespaces have two
// warehouses. At any time loaded = on hand + reserved + shipped, for each article.
namespace skald::plugin {
namespace {

constexpr int64_t kMostPieces = 1000000000;
constexpr size_t kListed = 20;

const char* const kStock =
    "CREATE TABLE IF NOT EXISTS stock (namespace VARCHAR(255) NOT NULL, sku VARCHAR(255) NOT NULL, loaded BIGINT NOT "
    "NULL, on_hand BIGINT NOT NULL CHECK (on_hand >= 0), reserved BIGINT NOT NULL CHECK (reserved >= 0), shipped "
    "BIGINT "
    "NOT NULL CHECK (shipped >= 0), PRIMARY KEY (namespace, sku))";
const char* const kReservations =
    "CREATE TABLE IF NOT EXISTS reservations (reservation_key VARCHAR(2048) NOT NULL, sku VARCHAR(255) NOT NULL, "
    "namespace VARCHAR(255) NOT NULL, order_id VARCHAR(255) NOT NULL, reservation_id VARCHAR(255) NOT NULL, quantity "
    "BIGINT NOT NULL, state VARCHAR(16) NOT NULL, PRIMARY KEY (reservation_key, sku))";
const char* const kReservationsOfOrder =
    "CREATE INDEX IF NOT EXISTS reservations_of_order ON reservations (namespace, order_id)";
const char* const kMoves =
    "CREATE TABLE IF NOT EXISTS stock_ledger (namespace VARCHAR(255) NOT NULL, sku VARCHAR(255) NOT NULL, order_id "
    "VARCHAR(255) NOT NULL, cause VARCHAR(16) NOT NULL, before_on_hand BIGINT NOT NULL, delta BIGINT NOT NULL)";

std::string order(const json& input) { return required_text(input, "order_id"); }
std::string reservation(const json& input) { return text_or(input, "reservation_id", "order_id"); }

int64_t on_hand(EffectCall& call, const std::string& sku) {
  const auto rows =
      call.db.run("SELECT on_hand FROM stock WHERE namespace = ? AND sku = ?", {call.context.namespace_name, sku});
  return rows.empty() ? 0 : number(rows[0][0]);
}

void book(EffectCall& call, const std::string& sku, const std::string& cause, int64_t before, int64_t delta) {
  call.db.run(
      "INSERT INTO stock_ledger (namespace, sku, order_id, cause, before_on_hand, delta) VALUES (?, ?, ?, ?, ?, ?)",
      {call.context.namespace_name, sku, call.input.value("order_id", ""), cause, before, delta});
}

std::map<std::string, int64_t> pieces_by_sku(const json& input) {
  std::map<std::string, int64_t> wanted;
  for (const json& item : input.at("items"))
    wanted[required_text(item, "sku")] += whole_number(item, "quantity", 1, kMostPieces);
  return wanted;
}

json load_stock(EffectCall& call) {
  const auto items = pieces_by_sku(call.input);
  for (const auto& [sku, quantity] : items) {
    const int64_t before = on_hand(call, sku);
    call.db.run(
        "INSERT INTO stock (namespace, sku, loaded, on_hand, reserved, shipped) SELECT ?, ?, 0, 0, 0, 0 "
        "WHERE NOT EXISTS (SELECT 1 FROM stock WHERE namespace = ? AND sku = ?)",
        {call.context.namespace_name, sku, call.context.namespace_name, sku});
    call.db.run("UPDATE stock SET loaded = loaded + ?, on_hand = on_hand + ? WHERE namespace = ? AND sku = ?",
                {quantity, quantity, call.context.namespace_name, sku});
    book(call, sku, "load", before, quantity);
  }
  return {{"loaded", items.size()}};
}

json reserve(EffectCall& call) {
  json missing = json::array();
  for (const auto& [sku, quantity] : pieces_by_sku(call.input)) {
    const int64_t before = on_hand(call, sku);
    if (before < quantity) {
      missing.push_back({{"sku", sku}, {"wanted", quantity}, {"available", before}});
      continue;
    }
    call.db.run("UPDATE stock SET on_hand = on_hand - ?, reserved = reserved + ? WHERE namespace = ? AND sku = ?",
                {quantity, quantity, call.context.namespace_name, sku});
    call.db.run(
        "INSERT INTO reservations (reservation_key, sku, namespace, order_id, reservation_id, quantity, state) VALUES "
        "(?, ?, ?, ?, ?, ?, 'reserved')",
        {call.key, sku, call.context.namespace_name, order(call.input), reservation(call.input), quantity});
    book(call, sku, "reserve", before, -quantity);
  }
  if (!missing.empty()) {
    throw ActivityError("OutOfStock",
                        std::to_string(missing.size()) + " article(s) of order " + order(call.input) + " are not there",
                        true, missing);
  }
  return {{"reservation_id", reservation(call.input)}};
}

struct Move {
  const char* from;
  const char* to;
  const char* update;  // of the stock: twice the quantity, namespace, article
  bool back;           // on hand again
};

const Move kRelease = {
    "reserved", "released",
    "UPDATE stock SET reserved = reserved - ?, on_hand = on_hand + ? WHERE namespace = ? AND sku = ?", true};
const Move kShip = {"reserved", "shipped",
                    "UPDATE stock SET reserved = reserved - ?, shipped = shipped + ? WHERE namespace = ? AND sku = ?",
                    false};
const Move kReturn = {"shipped", "returned",
                      "UPDATE stock SET shipped = shipped - ?, on_hand = on_hand + ? WHERE namespace = ? AND sku = ?",
                      true};

// Moves a reservation's goods on. Returns how many articles moved.
int64_t move(EffectCall& call, const std::string& reservation_key, const Move& step) {
  const auto rows = call.db.run("SELECT sku, quantity FROM reservations WHERE reservation_key = ? AND state = ?",
                                {reservation_key, std::string(step.from)});
  for (const Row& row : rows) {
    const auto& sku = text(row[0]);
    const int64_t quantity = number(row[1]);
    const int64_t before = on_hand(call, sku);
    call.db.run(step.update, {quantity, quantity, call.context.namespace_name, sku});
    book(call, sku, step.to, before, step.back ? quantity : 0);
  }
  call.db.run("UPDATE reservations SET state = ? WHERE reservation_key = ? AND state = ?",
              {std::string(step.to), reservation_key, std::string(step.from)});
  return static_cast<int64_t>(rows.size());
}

// The workflow's own reservation, or else those that other workflows made for the order.
std::vector<std::string> reservations(EffectCall& call) {
  const std::string own =
      effect_key({call.context.namespace_name, call.context.workflow_id, "reserve", reservation(call.input)});
  if (!call.db.run("SELECT 1 FROM reservations WHERE reservation_key = ? LIMIT 1", {own}).empty()) return {own};
  std::vector<std::string> keys;
  for (const Row& row : call.db.run(
           "SELECT DISTINCT reservation_key, reservation_id FROM reservations WHERE namespace = ? AND order_id = ?",
           {call.context.namespace_name, order(call.input)})) {
    if (!call.input.contains("reservation_id") || text(row[1]) == reservation(call.input)) keys.push_back(text(row[0]));
  }
  return keys;
}

json move_all(EffectCall& call, const Move& step, const char* error, const char* what) {
  int64_t moved = 0;
  for (const std::string& key : reservations(call)) moved += move(call, key, step);
  if (moved == 0) throw ActivityError(error, "order " + order(call.input) + " has no " + what + " goods", true);
  return {{"moved", moved}};
}

// Undoes a reservation whatever became of it.
json release(EffectCall& call) {
  const int64_t moved = move(call, call.undoes, kRelease) + move(call, call.undoes, kReturn);
  return {{"undone", true}, {"moved", moved}};
}

json confirm(EffectCall& call) { return move_all(call, kShip, "NotReserved", "reserved"); }
json return_stock(EffectCall& call) { return move_all(call, kReturn, "NotShipped", "shipped"); }

json audit(EffectCall& call) {
  const std::string& ns = call.context.namespace_name;
  const Row sums = call.db.run(
      "SELECT COUNT(*), COALESCE(SUM(loaded),0), COALESCE(SUM(on_hand),0), COALESCE(SUM(reserved),0), "
      "COALESCE(SUM(shipped),0) FROM stock WHERE namespace = ?",
      {ns})[0];
  const Row returned = call.db.run(
      "SELECT COALESCE(SUM(quantity),0) FROM reservations WHERE namespace = ? AND state = 'returned'", {ns})[0];
  json wrong = json::array();
  const auto suspects = call.db.run(
      "SELECT s.sku FROM stock s LEFT JOIN (SELECT sku, SUM(CASE state WHEN 'reserved' THEN quantity ELSE 0 END) AS "
      "reserved, SUM(CASE state WHEN 'shipped' THEN quantity ELSE 0 END) AS shipped FROM reservations WHERE namespace "
      "= ? GROUP BY sku) r ON r.sku = s.sku LEFT JOIN (SELECT sku, SUM(delta) AS on_hand FROM stock_ledger WHERE "
      "namespace = ? GROUP BY sku) l ON l.sku = s.sku WHERE s.namespace = ? AND (s.loaded <> s.on_hand + s.reserved + "
      "s.shipped OR s.reserved <> COALESCE(r.reserved,0) OR s.shipped <> COALESCE(r.shipped,0) OR s.on_hand <> "
      "COALESCE(l.on_hand,0)) ORDER BY s.sku",
      {ns, ns, ns});
  for (const Row& row : suspects) {
    if (wrong.size() < kListed) wrong.push_back(text(row[0]));
  }
  return {{"balanced", suspects.empty()},    {"skus", number(sums[0])},     {"loaded", number(sums[1])},
          {"on_hand", number(sums[2])},      {"reserved", number(sums[3])}, {"shipped", number(sums[4])},
          {"returned", number(returned[0])}, {"wrong", std::move(wrong)}};
}

class Inventory final : public Plugin {
 public:
  Inventory() : Plugin("inventory", "0.1.0") {
    allow_sandbox_faults();
    effect("load_stock", {.step = "load",
                          .reference = [](const json& input) { return input.value("load_id", ""); },
                          .binding = {"items"},
                          .run = load_stock});
    effect("reserve", {.step = "reserve", .reference = reservation, .binding = {"items"}, .run = reserve});
    effect("release", {.step = "release", .undoes = "reserve", .reference = reservation, .run = release});
    effect("confirm", {.step = "confirm", .reference = reservation, .run = confirm});
    effect("return_stock", {.step = "return", .reference = reservation, .run = return_stock});
    effect("audit", {.run = audit});
  }

 protected:
  void create_tables(EffectStore& db) override {
    for (const char* table : {kStock, kReservations, kReservationsOfOrder, kMoves}) db.run(table);
  }
};

}  // namespace
}  // namespace skald::plugin

SKALD_PLUGIN(skald::plugin::Inventory)
