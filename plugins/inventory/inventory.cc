#include <algorithm>
#include <map>

#include "plugins/sdk/fields.h"
#include "plugins/sdk/plugin.h"

// Stock by article, and reservations by the effect that made them. All of one namespace: two namespaces have two
// warehouses. At any time loaded = on hand + reserved + shipped, for each article.
namespace skald::plugin {
namespace {

constexpr int64_t kMostPieces = 1000000000;
constexpr size_t kListed = 20;
constexpr size_t kMostAsked = 1000;

constexpr std::string_view kStock = R"(
  CREATE TABLE IF NOT EXISTS stock (
    namespace VARCHAR(255) NOT NULL,
    sku VARCHAR(1000) NOT NULL,
    loaded BIGINT NOT NULL,
    on_hand BIGINT NOT NULL CHECK (on_hand >= 0),
    reserved BIGINT NOT NULL CHECK (reserved >= 0),
    shipped BIGINT NOT NULL CHECK (shipped >= 0),
    PRIMARY KEY (namespace, sku)
  ))";
constexpr std::string_view kReservations = R"(
  CREATE TABLE IF NOT EXISTS reservations (
    reservation_key VARCHAR(2048) NOT NULL,
    sku VARCHAR(1000) NOT NULL,
    namespace VARCHAR(255) NOT NULL,
    order_id VARCHAR(1000) NOT NULL,
    reservation_id VARCHAR(1000) NOT NULL,
    quantity BIGINT NOT NULL,
    returned BIGINT NOT NULL,
    state VARCHAR(16) NOT NULL,
    PRIMARY KEY (reservation_key, sku),
    CHECK (returned <= quantity)
  ))";
constexpr std::string_view kReservationsOfOrder =
    "CREATE INDEX IF NOT EXISTS reservations_of_order ON reservations (namespace, order_id)";
constexpr std::string_view kMoves = R"(
  CREATE TABLE IF NOT EXISTS stock_ledger (
    namespace VARCHAR(255) NOT NULL,
    sku VARCHAR(1000) NOT NULL,
    order_id VARCHAR(1000) NOT NULL,
    cause VARCHAR(16) NOT NULL,
    before_on_hand BIGINT NOT NULL,
    delta BIGINT NOT NULL
  ))";

std::string order(const json& input) { return required_text(input, "order_id"); }
std::string reservation(const json& input) { return text_or(input, "reservation_id", "order_id"); }

// A reservation of an order, or one of several. Keys of the first form have its id alone.
EffectId reservation_named(const json& input) {
  EffectId id = {{"order_id", order(input)}, {"reservation_id", reservation(input)}};
  id.set_former(reservation(input));
  return id;
}

EffectId returned_goods(const json& input) {
  EffectId id = reservation_named(input);
  const std::string of_return = has_field(input, "return_id") ? required_text(input, "return_id") : "";
  if (!of_return.empty()) id.add("return_id", of_return);
  id.set_former(effect_key({reservation(input), of_return}));
  return id;
}

int64_t on_hand(EffectCall& call, const std::string& sku) {
  const auto rows = call.db.run("SELECT on_hand FROM stock WHERE namespace = ? AND sku = ? FOR UPDATE",
                                {call.context.namespace_name, sku});
  return rows.empty() ? 0 : number(rows[0][0]);
}

void book(EffectCall& call, const std::string& sku, const std::string& cause, int64_t before, int64_t delta) {
  call.db.run(
      "INSERT INTO stock_ledger (namespace, sku, order_id, cause, before_on_hand, delta) VALUES (?, ?, ?, ?, ?, ?)",
      {call.context.namespace_name, sku, optional_text(call.input, "order_id"), cause, before, delta});
}

std::map<std::string, int64_t> pieces_by_sku(const json& input) {
  std::map<std::string, int64_t> wanted;
  size_t place = 0;
  for (const json& item : required_list(input, "items")) {
    const std::string where = "items[" + std::to_string(place++) + "].";
    const std::string sku = required_text(item, "sku", where);
    wanted[sku] += whole_number(item, "quantity", 1, kMostPieces, where);
  }
  return wanted;
}

// What an order is about: at least one article.
std::map<std::string, int64_t> some_pieces_by_sku(const json& input) {
  auto wanted = pieces_by_sku(input);
  if (wanted.empty()) refuse_input("items must not be empty: an order has at least one article");
  return wanted;
}

json load_stock(EffectCall& call) {
  const auto items = pieces_by_sku(call.input);
  for (const auto& [sku, quantity] : items) {
    const int64_t before = on_hand(call, sku);
    call.db.run("UPDATE stock SET loaded = loaded + ?, on_hand = on_hand + ? WHERE namespace = ? AND sku = ?",
                {quantity, quantity, call.context.namespace_name, sku});
    if (call.db.changed() == 0) {
      call.db.run("INSERT INTO stock (namespace, sku, loaded, on_hand, reserved, shipped) VALUES (?, ?, ?, ?, 0, 0)",
                  {call.context.namespace_name, sku, quantity, quantity});
    }
    book(call, sku, "load", before, quantity);
  }
  return {{"loaded", items.size()}};
}

// How much is on hand of each article asked for: 0 of one that nobody knows.
json levels(EffectCall& call) {
  const json& skus = required_list(call.input, "skus");
  if (skus.size() > kMostAsked) refuse_input("there are more than " + std::to_string(kMostAsked) + " skus");
  json found = json::object();
  for (const json& sku : skus) {
    if (!sku.is_string()) refuse_input("skus must be a list of texts", sku);
    const auto rows = call.db.run("SELECT on_hand FROM stock WHERE namespace = ? AND sku = ?",
                                  {call.context.namespace_name, sku.get<std::string>()});
    found[sku.get<std::string>()] = rows.empty() ? 0 : number(rows[0][0]);
  }
  return {{"on_hand", std::move(found)}};
}

// Refuses before it writes: to undo what an effect has written costs more than not to write it.
json reserve(EffectCall& call) {
  const auto wanted = some_pieces_by_sku(call.input);
  std::map<std::string, int64_t> before;
  json missing = json::array();
  for (const auto& [sku, quantity] : wanted) {
    before[sku] = on_hand(call, sku);
    if (before[sku] < quantity) missing.push_back({{"sku", sku}, {"wanted", quantity}, {"available", before[sku]}});
  }
  if (!missing.empty()) {
    throw ActivityError("OutOfStock",
                        std::to_string(missing.size()) + " article(s) of order " + order(call.input) + " are not there",
                        true, missing);
  }
  for (const auto& [sku, quantity] : wanted) {
    call.db.run("UPDATE stock SET on_hand = on_hand - ?, reserved = reserved + ? WHERE namespace = ? AND sku = ?",
                {quantity, quantity, call.context.namespace_name, sku});
    call.db.run(
        "INSERT INTO reservations (reservation_key, sku, namespace, order_id, reservation_id, quantity, returned, "
        "state) VALUES (?, ?, ?, ?, ?, ?, 0, 'reserved')",
        {call.key, sku, call.context.namespace_name, order(call.input), reservation(call.input), quantity});
    book(call, sku, "reserve", before[sku], -quantity);
  }
  return {{"reservation_id", reservation(call.input)}};
}

// Ends the reserved state of a reservation's goods: they are shipped, or on hand again. Returns how many articles
// moved.
int64_t end_reserved(EffectCall& call, const std::string& reservation_key, bool ship) {
  const auto rows = call.db.run(
      "SELECT r.sku, r.quantity, s.on_hand FROM reservations r JOIN stock s ON s.namespace = r.namespace AND s.sku = "
      "r.sku WHERE r.reservation_key = ? AND r.state = 'reserved' FOR UPDATE",
      {reservation_key});
  for (const Row& row : rows) {
    const auto& sku = text(row[0]);
    const int64_t quantity = number(row[1]), before = number(row[2]);
    call.db.run(ship
                    ? "UPDATE stock SET reserved = reserved - ?, shipped = shipped + ? WHERE namespace = ? AND sku = ?"
                    : "UPDATE stock SET reserved = reserved - ?, on_hand = on_hand + ? WHERE namespace = ? AND sku = ?",
                {quantity, quantity, call.context.namespace_name, sku});
    book(call, sku, ship ? "ship" : "release", before, ship ? 0 : quantity);
  }
  if (rows.empty()) return 0;
  call.db.run("UPDATE reservations SET state = ? WHERE reservation_key = ? AND state = 'reserved'",
              {std::string(ship ? "shipped" : "released"), reservation_key});
  return static_cast<int64_t>(rows.size());
}

// Puts shipped goods of a reservation on hand again: of each article at most what is `wanted`, from which it is
// subtracted, or everything. Returns how many articles moved.
int64_t give_back(EffectCall& call, const std::string& reservation_key, std::map<std::string, int64_t>* wanted) {
  int64_t moved = 0;
  for (const Row& row : call.db.run("SELECT sku, quantity - returned FROM reservations WHERE reservation_key = ? AND "
                                    "state = 'shipped' AND quantity > returned FOR UPDATE",
                                    {reservation_key})) {
    const auto& sku = text(row[0]);
    const int64_t quantity = wanted == nullptr ? number(row[1]) : std::min(number(row[1]), (*wanted)[sku]);
    if (quantity == 0) continue;
    if (wanted != nullptr) (*wanted)[sku] -= quantity;
    const int64_t before = on_hand(call, sku);
    call.db.run("UPDATE stock SET shipped = shipped - ?, on_hand = on_hand + ? WHERE namespace = ? AND sku = ?",
                {quantity, quantity, call.context.namespace_name, sku});
    call.db.run("UPDATE reservations SET returned = returned + ? WHERE reservation_key = ? AND sku = ?",
                {quantity, reservation_key, sku});
    book(call, sku, "return", before, quantity);
    ++moved;
  }
  return moved;
}

// The reservation of that id, or else those of the order.
std::vector<std::string> reservations(EffectCall& call) {
  const auto known = [&] {
    return !call.db.run("SELECT 1 FROM reservations WHERE reservation_key = ? LIMIT 1", {call.of}).empty();
  };
  if (!call.of.empty() && known()) return {call.of};
  static constexpr std::string_view kOfOrder = R"(
    SELECT DISTINCT reservation_key, reservation_id
    FROM reservations
    WHERE namespace = ? AND order_id = ?)";
  std::vector<std::string> keys;
  for (const Row& row : call.db.run(kOfOrder, {call.context.namespace_name, order(call.input)})) {
    if (!has_field(call.input, "reservation_id") || text(row[1]) == reservation(call.input))
      keys.push_back(text(row[0]));
  }
  return keys;
}

// Undoes a reservation whatever became of it.
json release(EffectCall& call) {
  const int64_t moved = end_reserved(call, call.undoes, false) + give_back(call, call.undoes, nullptr);
  return {{"undone", true}, {"moved", moved}};
}

json confirm(EffectCall& call) {
  int64_t moved = call.of.empty() ? 0 : end_reserved(call, call.of, true);
  if (moved == 0) {
    for (const std::string& key : reservations(call)) moved += end_reserved(call, key, true);
  }
  if (moved == 0) throw ActivityError("NotReserved", "order " + order(call.input) + " has no reserved goods", true);
  return {{"moved", moved}};
}

// Without items: the whole order.
json return_stock(EffectCall& call) {
  const bool whole = !has_field(call.input, "items");
  auto wanted = whole ? std::map<std::string, int64_t>() : some_pieces_by_sku(call.input);
  int64_t moved = 0;
  for (const std::string& key : reservations(call)) moved += give_back(call, key, whole ? nullptr : &wanted);
  if (moved == 0) throw ActivityError("NotShipped", "order " + order(call.input) + " has no such shipped goods", true);
  json missing = json::array();
  for (const auto& [sku, quantity] : wanted) {
    if (quantity > 0) missing.push_back({{"sku", sku}, {"too_many", quantity}});
  }
  if (!missing.empty()) {
    throw ActivityError("NotEnoughShipped", "more of order " + order(call.input) + " comes back than was shipped", true,
                        missing);
  }
  return {{"moved", moved}};
}

json audit(EffectCall& call) {
  const std::string& ns = call.context.namespace_name;
  const Row sums = call.db.run(
      "SELECT COUNT(*), COALESCE(SUM(loaded),0), COALESCE(SUM(on_hand),0), COALESCE(SUM(reserved),0), "
      "COALESCE(SUM(shipped),0) FROM stock WHERE namespace = ?",
      {ns})[0];
  const Row returned = call.db.run("SELECT COALESCE(SUM(returned),0) FROM reservations WHERE namespace = ?", {ns})[0];
  json wrong = json::array();
  static constexpr std::string_view kSuspects = R"(
    SELECT s.sku
    FROM stock s
    LEFT JOIN (
      SELECT sku,
             SUM(CASE state WHEN 'reserved' THEN quantity ELSE 0 END) AS reserved,
             SUM(CASE state WHEN 'shipped' THEN quantity - returned ELSE 0 END) AS shipped
      FROM reservations
      WHERE namespace = ?
      GROUP BY sku) r ON r.sku = s.sku
    LEFT JOIN (
      SELECT sku, SUM(delta) AS on_hand
      FROM stock_ledger
      WHERE namespace = ?
      GROUP BY sku) l ON l.sku = s.sku
    WHERE s.namespace = ?
      AND (s.loaded <> s.on_hand + s.reserved + s.shipped OR s.reserved <> COALESCE(r.reserved, 0)
           OR s.shipped <> COALESCE(r.shipped, 0) OR s.on_hand <> COALESCE(l.on_hand, 0))
    ORDER BY s.sku)";
  const auto suspects = call.db.run(kSuspects, {ns, ns, ns});
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
                          .reference = [](const json& input) { return optional_text(input, "load_id"); },
                          .binding = {"items"},
                          .run = load_stock});
    effect("reserve", {.step = "reserve", .reference = reservation_named, .binding = {"items"}, .run = reserve});
    effect("release", {.step = "release", .undoes = "reserve", .reference = reservation_named, .run = release});
    effect("confirm", {.step = "confirm",
                       .of = "reserve",
                       .of_which = reservation_named,
                       .reference = reservation_named,
                       .run = confirm});
    effect("return_stock", {.step = "return",
                            .of = "reserve",
                            .of_which = reservation_named,
                            .reference = returned_goods,
                            .binding = {"items"},
                            .run = return_stock});
    effect("levels", {.run = levels, .reads = true});
    effect("audit", {.run = audit, .reads = true});
  }

 protected:
  void create_tables(EffectStore& db) override {
    for (const std::string_view table : {kStock, kReservations, kReservationsOfOrder, kMoves}) db.run(table);
  }
};

}  // namespace
}  // namespace skald::plugin

SKALD_PLUGIN(skald::plugin::Inventory)
