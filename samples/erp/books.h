#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "samples/erp/records.h"

namespace skald::erp {

using Version = std::optional<int64_t>;  // of If-Match; none: the caller did not say

// What the ERP knows, and its rules. Requests are the bodies of the API (docs/erp.md); what cannot be done throws
// Refusal and changes nothing. An order or work order is known by the id that it is given here; `reference` is the
// caller's own, and unique. Not thread-safe.
class Books {
 public:
  Books();

  json create_item(const json& request);
  json change_item(const std::string& sku, const json& request, Version version);
  // Makes the article's stock record when there is none.
  json set_stock(const std::string& sku, const json& request, Version version);
  json create_order(const json& request);
  json set_outcome(const std::string& id, const json& request, Version version);

  json create_work_order(const json& request);
  // Chooses who has the skill and the least to do.
  json assign(const std::string& id, const json& request, Version version);
  json complete(const std::string& id, const json& request, Version version);
  json cancel(const std::string& id, const json& request, Version version);

  // By "items", "stock", "orders", "work_orders", "technicians"; Refusal 404 for another.
  Records& records(const std::string& kind);
  json everything();

  // Somebody in the ERP does it, without asking for a version.
  json receive(const std::string& sku, int64_t quantity);
  json change_by_somebody(const std::string& kind, const std::string& id, const json& change, Version version);
  json add_technician(const json& request);

 private:
  void require_known(const json& lines, const std::string& list, json& fields) const;
  const json& changeable(Records& records, const std::string& id, Version version);

  Records items_{"item"}, stock_{"stock of"}, orders_{"order"}, work_orders_{"work order"}, technicians_{"technician"};
  int64_t last_id_ = 1000;
};

// A request's fields: what is wrong is written to `fields`, by name.
std::string text_field(const json& request, const std::string& name, json& fields, bool required = true);
int64_t whole_field(const json& request, const std::string& name, int64_t least, json& fields, int64_t otherwise = -1);
// Refusal 422 if there is anything in `fields`.
void refuse_wrong(const json& fields);

}  // namespace skald::erp
