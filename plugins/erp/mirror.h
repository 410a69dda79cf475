#pragma once

#include <optional>
#include <string>

#include "plugins/sdk/plugin.h"

namespace skald::plugin::erp {

// What we know of the ERP's records, by namespace, kind ("items", "stock", "orders") and name: an article's number, an
// order's reference. Used inside effects.
class Mirror {
 public:
  Mirror(EffectStore& db, std::string namespace_name) : db_(db), namespace_(std::move(namespace_name)) {}
  static void create_tables(EffectStore& db);

  // Keeps a record as the ERP gave it, if it is newer than what is there. True: it was.
  bool keep(const std::string& kind, const json& record);
  std::optional<json> find(const std::string& kind, const std::string& name);

  // Goods that the ERP has received of an article since the last time that this was asked.
  int64_t take_arrivals(const json& stock);

  // How far the feed of a kind was read; empty: not at all.
  std::string cursor(const std::string& kind);
  void move_cursor(const std::string& kind, const std::string& cursor);

  // What a record is found by.
  static std::string name_of(const json& record);

 private:
  EffectStore& db_;
  const std::string namespace_;
};

}  // namespace skald::plugin::erp
