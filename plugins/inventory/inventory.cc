#include "plugins/sdk/plugin.h"

// Stock, reserved and shipped by order. Reservation id = order id: reserve, release, ship and return of one order find
// each other.
namespace skald::plugin {
namespace {

const char* const kMove =
    "INSERT INTO stock_ledger (order_id, sku, cause, before_on_hand, delta, after_on_hand) VALUES (?, ?, ?, ?, ?, ?)";

std::string order(const json& input) { return input.at("order_id").get<std::string>(); }

void write_move(EffectStore& db, const std::string& order_id, const std::string& sku, const std::string& cause,
                int64_t before, int64_t delta) {
  db.run(kMove, {order_id, sku, cause, before, delta, before + delta});
}

int64_t on_hand(EffectStore& db, const std::string& sku) {
  const auto rows = db.run("SELECT on_hand FROM stock WHERE sku = ?", {sku});
  return rows.empty() ? 0 : number(rows[0][0]);
}

int64_t positive(const json& item) {
  const int64_t quantity = item.at("quantity").get<int64_t>();
  if (quantity <= 0) throw ActivityError("InvalidOrder", "a quantity must be above zero", true, item);
  return quantity;
}

json load_stock(EffectStore& db, const json& input) {
  for (const json& item : input.at("items")) {
    const auto sku = item.at("sku").get<std::string>();
    const int64_t quantity = positive(item);
    const int64_t before = on_hand(db, sku);
    db.run(
        "INSERT INTO stock (sku, initial, on_hand, reserved, shipped, returned) SELECT ?, 0, 0, 0, 0, 0 "
        "WHERE NOT EXISTS (SELECT 1 FROM stock WHERE sku = ?)",
        {sku, sku});
    db.run("UPDATE stock SET initial = initial + ?, on_hand = on_hand + ? WHERE sku = ?", {quantity, quantity, sku});
    write_move(db, "", sku, "load", before, quantity);
  }
  return {{"loaded", input.at("items").size()}};
}

json reserve(EffectStore& db, const json& input) {
  std::map<std::string, int64_t> wanted;
  for (const json& item : input.at("items")) wanted[item.at("sku").get<std::string>()] += positive(item);
  json missing = json::array();
  for (const auto& [sku, quantity] : wanted) {
    const int64_t before = on_hand(db, sku);
    if (before < quantity) {
      missing.push_back({{"sku", sku}, {"wanted", quantity}, {"available", before}});
      continue;
    }
    db.run("UPDATE stock SET on_hand = on_hand - ?, reserved = reserved + ? WHERE sku = ?", {quantity, quantity, sku});
    db.run("INSERT INTO reservations (order_id, sku, quantity, state) VALUES (?, ?, ?, 'reserved')",
           {order(input), sku, quantity});
    write_move(db, order(input), sku, "reserve", before, -quantity);
  }
  if (!missing.empty()) {
    throw ActivityError("OutOfStock",
                        std::to_string(missing.size()) + " article(s) of order " + order(input) + " are not there",
                        true, missing);
  }
  return {{"reservation_id", order(input)}};
}

// Moves an order's goods from one state to another. `column` is where they were; goods that come back are on hand
// again.
json move(EffectStore& db, const json& input, const std::string& from, const std::string& to, const std::string& update,
          bool back) {
  const auto rows =
      db.run("SELECT sku, quantity FROM reservations WHERE order_id = ? AND state = ?", {order(input), from});
  for (const Row& row : rows) {
    const auto& sku = text(row[0]);
    const int64_t quantity = number(row[1]);
    const int64_t before = on_hand(db, sku);
    db.run(update, {quantity, quantity, sku});
    write_move(db, order(input), sku, to, before, back ? quantity : 0);
  }
  db.run("UPDATE reservations SET state = ? WHERE order_id = ? AND state = ?", {to, order(input), from});
  return {{"moved", rows.size()}};
}

json release(EffectStore& db, const json& input) {
  return move(db, input, "reserved", "released",
              "UPDATE stock SET reserved = reserved - ?, on_hand = on_hand + ? WHERE sku = ?", true);
}

json confirm(EffectStore& db, const json& input) {
  json moved = move(db, input, "reserved", "shipped",
                    "UPDATE stock SET reserved = reserved - ?, shipped = shipped + ? WHERE sku = ?", false);
  if (moved["moved"] == 0) throw ActivityError("NotReserved", "order " + order(input) + " has no reserved goods", true);
  return moved;
}

json return_stock(EffectStore& db, const json& input) {
  json moved = move(db, input, "shipped", "returned",
                    "UPDATE stock SET returned = returned + ?, on_hand = on_hand + ? WHERE sku = ?", true);
  if (moved["moved"] == 0) throw ActivityError("NotShipped", "order " + order(input) + " has no shipped goods", true);
  return moved;
}

json audit(EffectStore& db, const json&) {
  const Row sums = db.run(
      "SELECT COUNT(*), COALESCE(SUM(initial),0), COALESCE(SUM(on_hand),0), COALESCE(SUM(reserved),0), "
      "COALESCE(SUM(shipped),0), COALESCE(SUM(returned),0) FROM stock")[0];
  const int64_t wrong = number(
      db.run("SELECT COUNT(*) FROM stock WHERE initial <> on_hand + reserved + shipped - returned OR on_hand < 0 "
             "OR reserved < 0 OR returned > shipped")[0][0]);
  const int64_t ledger = number(db.run("SELECT COALESCE(SUM(delta),0) FROM stock_ledger")[0][0]);
  return {{"balanced", wrong == 0 && ledger == number(sums[2])},
          {"skus", number(sums[0])},
          {"initial", number(sums[1])},
          {"on_hand", number(sums[2])},
          {"reserved", number(sums[3])},
          {"shipped", number(sums[4])},
          {"returned", number(sums[5])}};
}

class Inventory final : public Plugin {
 public:
  Inventory() : Plugin("inventory", "0.1.0") {
    const auto key = [](const char* step, const char* undoes = nullptr) {
      return [=](const json& input) {
        return EffectKey{step + ("/" + order(input)), undoes == nullptr ? "" : undoes + ("/" + order(input))};
      };
    };
    effect(
        "load_stock",
        [](const json& input) {
          return EffectKey{"load/" + input.at("load_id").get<std::string>(), ""};
        },
        load_stock);
    effect("reserve", key("reserve"), reserve, "reserve");
    effect("release", key("release", "reserve"), release);
    effect("confirm", key("confirm"), confirm, "confirm");
    effect("return_stock", key("return"), return_stock);
    effect("audit", {}, audit);
  }

 protected:
  void create_tables(EffectStore& db) override {
    db.run(
        "CREATE TABLE IF NOT EXISTS stock (sku VARCHAR(64) NOT NULL PRIMARY KEY, initial BIGINT NOT NULL, on_hand "
        "BIGINT NOT NULL, "
        "reserved BIGINT NOT NULL, shipped BIGINT NOT NULL, returned BIGINT NOT NULL)");
    db.run(
        "CREATE TABLE IF NOT EXISTS reservations (order_id VARCHAR(128) NOT NULL, sku VARCHAR(64) NOT NULL, quantity "
        "BIGINT NOT NULL, "
        "state VARCHAR(16) NOT NULL, PRIMARY KEY (order_id, sku))");
    db.run(
        "CREATE TABLE IF NOT EXISTS stock_ledger (order_id VARCHAR(128) NOT NULL, sku VARCHAR(64) NOT NULL, cause "
        "VARCHAR(16) NOT NULL, "
        "before_on_hand BIGINT NOT NULL, delta BIGINT NOT NULL, after_on_hand BIGINT NOT NULL)");
  }
};

}  // namespace
}  // namespace skald::plugin

SKALD_PLUGIN(skald::plugin::Inventory)
