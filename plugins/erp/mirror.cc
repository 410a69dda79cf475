#include "plugins/erp/mirror.h"

namespace skald::plugin::erp {

void Mirror::create_tables(EffectStore& db) {
  db.run(
      "CREATE TABLE IF NOT EXISTS erp_mirror (namespace VARCHAR(255) NOT NULL, kind VARCHAR(16) NOT NULL, name "
      "VARCHAR(1000) NOT NULL, version BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (namespace, kind, name))");
  db.run(
      "CREATE TABLE IF NOT EXISTS erp_arrivals (namespace VARCHAR(255) NOT NULL, sku VARCHAR(1000) NOT NULL, received "
      "BIGINT NOT NULL, PRIMARY KEY (namespace, sku))");
  db.run(
      "CREATE TABLE IF NOT EXISTS erp_cursors (namespace VARCHAR(255) NOT NULL, kind VARCHAR(16) NOT NULL, position "
      "VARCHAR(1000) NOT NULL, PRIMARY KEY (namespace, kind))");
}

std::string Mirror::name_of(const json& record) {
  for (const char* field : {"sku", "reference", "id"}) {
    if (record.contains(field) && record[field].is_string() && !record[field].get_ref<const std::string&>().empty())
      return record[field];
  }
  throw ActivityError("ErpUnreadable", "the ERP gave a record that has no id");
}

bool Mirror::keep(const std::string& kind, const json& record) {
  const std::string name = name_of(record);
  const int64_t version = record.value("version", int64_t{0});
  const auto rows = db_.run("SELECT version FROM erp_mirror WHERE namespace = ? AND kind = ? AND name = ? FOR UPDATE",
                            {namespace_, kind, name});
  if (rows.empty()) {
    db_.run("INSERT INTO erp_mirror (namespace, kind, name, version, body) VALUES (?, ?, ?, ?, ?)",
            {namespace_, kind, name, version, record.dump()});
    return true;
  }
  if (number(rows[0][0]) >= version) return false;
  db_.run("UPDATE erp_mirror SET version = ?, body = ? WHERE namespace = ? AND kind = ? AND name = ?",
          {version, record.dump(), namespace_, kind, name});
  return true;
}

std::optional<json> Mirror::find(const std::string& kind, const std::string& name) {
  const auto rows =
      db_.run("SELECT body FROM erp_mirror WHERE namespace = ? AND kind = ? AND name = ?", {namespace_, kind, name});
  if (rows.empty()) return std::nullopt;
  return json::parse(text(rows[0][0]));
}

int64_t Mirror::take_arrivals(const json& stock) {
  const std::string sku = name_of(stock);
  const int64_t received = stock.value("received", int64_t{0});
  const auto rows =
      db_.run("SELECT received FROM erp_arrivals WHERE namespace = ? AND sku = ? FOR UPDATE", {namespace_, sku});
  if (rows.empty()) {
    db_.run("INSERT INTO erp_arrivals (namespace, sku, received) VALUES (?, ?, ?)", {namespace_, sku, received});
    return received;
  }
  const int64_t before = number(rows[0][0]);
  if (received <= before) return 0;
  db_.run("UPDATE erp_arrivals SET received = ? WHERE namespace = ? AND sku = ?", {received, namespace_, sku});
  return received - before;
}

std::string Mirror::cursor(const std::string& kind) {
  const auto rows =
      db_.run("SELECT position FROM erp_cursors WHERE namespace = ? AND kind = ? FOR UPDATE", {namespace_, kind});
  return rows.empty() ? std::string() : text(rows[0][0]);
}

void Mirror::move_cursor(const std::string& kind, const std::string& cursor) {
  db_.run("UPDATE erp_cursors SET position = ? WHERE namespace = ? AND kind = ?", {cursor, namespace_, kind});
  if (db_.changed() > 0) return;
  db_.run("INSERT INTO erp_cursors (namespace, kind, position) VALUES (?, ?, ?)", {namespace_, kind, cursor});
}

}  // namespace skald::plugin::erp
