#include "samples/erp/books.h"

#include <array>
#include <utility>

namespace skald::erp {

std::string text_field(const json& request, const std::string& name, json& fields, bool required) {
  if (!request.contains(name) || request[name].is_null()) {
    if (required) fields[name] = "is missing";
    return {};
  }
  if (!request[name].is_string()) {
    fields[name] = "must be a text";
    return {};
  }
  std::string text = request[name];
  if (required && text.empty()) fields[name] = "must not be empty";
  return text;
}

int64_t whole_field(const json& request, const std::string& name, int64_t least, json& fields, int64_t otherwise) {
  if (!request.contains(name) || request[name].is_null()) {
    if (otherwise < 0) fields[name] = "is missing";
    return otherwise;
  }
  if (!request[name].is_number_integer() || request[name].get<int64_t>() < least) {
    fields[name] = "must be a whole number from " + std::to_string(least);
    return least;
  }
  return request[name];
}

void refuse_wrong(const json& fields) {
  if (fields.empty()) return;
  std::string message = "the request is not valid:";
  for (const auto& [name, what] : fields.items()) message += " " + name + " " + what.get<std::string>() + ";";
  message.pop_back();
  throw Refusal{422, "invalid", message, fields};
}

Books::Books() {
  add_technician({{"name", "Ada"}, {"skills", {"mechanics", "hydraulics"}}});
  add_technician({{"name", "Grace"}, {"skills", {"electrics", "software"}}});
  add_technician({{"name", "Konrad"}, {"skills", {"mechanics", "electrics"}}});
  add_technician({{"name", "Lise"}, {"skills", {"inspection", "hydraulics", "mechanics"}}});
}

// An ERP without a catalogue takes any article; with one, those in it.
void Books::require_known(const json& lines, const std::string& list, json& fields) const {
  if (!lines.is_array() || lines.empty()) {
    fields[list] = "must be a list with at least one line";
    return;
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    json wrong = json::object();
    if (lines[i].is_object()) {
      const std::string sku = text_field(lines[i], "sku", wrong);
      whole_field(lines[i], "quantity", 1, wrong);
      if (!sku.empty() && !items_.all().empty() && items_.find(sku) == nullptr) wrong["sku"] = "is not an item: " + sku;
    } else {
      wrong["sku"] = "is missing";
    }
    for (const auto& [name, what] : wrong.items()) fields[list + "[" + std::to_string(i) + "]." + name] = what;
  }
}

const json& Books::changeable(Records& records, const std::string& id, Version version) {
  const json& record = records.at(id);
  if (!version)
    throw Refusal{428, "version_required", "say in If-Match which version it is that you change", nullptr, record};
  return record;
}

json Books::create_item(const json& request) {
  json fields = json::object();
  const std::string sku = text_field(request, "sku", fields);
  json item = {{"id", "IT-" + std::to_string(++last_id_)},
               {"sku", sku},
               {"name", text_field(request, "name", fields)},
               {"price", whole_field(request, "price", 0, fields, 0)}};
  refuse_wrong(fields);
  if (const json* there = items_.find(sku))
    throw Refusal{409, "duplicate_reference", "there is an item " + sku + " already", nullptr, *there};
  return items_.create(sku, std::move(item));
}

json Books::change_item(const std::string& sku, const json& request, Version version) {
  changeable(items_, sku, version);
  json fields = json::object(), change = json::object();
  if (request.contains("name")) change["name"] = text_field(request, "name", fields);
  if (request.contains("price")) change["price"] = whole_field(request, "price", 0, fields);
  refuse_wrong(fields);
  return items_.change(sku, change, version);
}

json Books::set_stock(const std::string& sku, const json& request, Version version) {
  json fields = json::object();
  const int64_t quantity = whole_field(request, "quantity", 0, fields);
  if (!items_.all().empty() && items_.find(sku) == nullptr) fields["sku"] = "is not an item: " + sku;
  refuse_wrong(fields);
  if (stock_.find(sku) == nullptr) {
    if (version) stock_.at(sku);
    return stock_.create(
        sku, {{"id", "ST-" + std::to_string(++last_id_)}, {"sku", sku}, {"quantity", quantity}, {"received", 0}});
  }
  changeable(stock_, sku, version);
  return stock_.change(sku, {{"quantity", quantity}}, version);
}

json Books::create_order(const json& request) {
  json fields = json::object();
  const std::string reference = text_field(request, "reference", fields);
  json order = {{"reference", reference},
                {"total", whole_field(request, "total", 0, fields)},
                {"currency", text_field(request, "currency", fields)},
                {"country", text_field(request, "country", fields)},
                {"customer", text_field(request, "customer", fields, false)}};
  const json lines = request.value("lines", json());
  require_known(lines, "lines", fields);
  refuse_wrong(fields);
  if (const json* there = orders_.by_reference(reference))
    throw Refusal{409, "duplicate_reference", "there is an order " + reference + " already", nullptr, *there};
  const std::string id = "SO-" + std::to_string(++last_id_);
  order.update({{"id", id}, {"lines", lines}, {"state", "open"}, {"note", ""}});
  return orders_.create(id, std::move(order));
}

json Books::set_outcome(const std::string& id, const json& request, Version version) {
  const json& order = changeable(orders_, id, version);
  json fields = json::object();
  const std::string outcome = text_field(request, "outcome", fields);
  const bool known = outcome == "confirmed" || outcome == "rejected" || outcome == "cancelled" || outcome == "returned";
  if (!outcome.empty() && !known) fields["outcome"] = "must be confirmed, rejected, cancelled or returned";
  if (order["state"] == "returned" && outcome != "returned") fields["outcome"] = "cannot follow on returned";
  json change = {{"state", outcome}, {"reason", text_field(request, "reason", fields, false)}};
  refuse_wrong(fields);
  change["compensations"] = request.value("compensations", json::array());
  return orders_.change(id, change, version);
}

Records& Books::records(const std::string& kind) {
  const std::array<std::pair<const char*, Records*>, 5> kinds = {{{"items", &items_},
                                                                  {"stock", &stock_},
                                                                  {"orders", &orders_},
                                                                  {"work_orders", &work_orders_},
                                                                  {"technicians", &technicians_}}};
  for (const auto& [name, records] : kinds) {
    if (kind == name) return *records;
  }
  throw Refusal{404, "not_found", "there is nothing called " + kind};
}

json Books::everything() {
  json all = json::object();
  for (const char* kind : {"items", "stock", "orders", "work_orders", "technicians"}) {
    json& list = all[kind] = json::array();
    for (const auto& [id, record] : records(kind).all()) list.push_back(record);
  }
  return all;
}

json Books::receive(const std::string& sku, int64_t quantity) {
  if (stock_.find(sku) == nullptr) set_stock(sku, {{"quantity", 0}}, std::nullopt);
  const json& stock = stock_.at(sku);
  return stock_.change(sku,
                       {{"quantity", stock["quantity"].get<int64_t>() + quantity},
                        {"received", stock["received"].get<int64_t>() + quantity}},
                       std::nullopt, "somebody");
}

json Books::change_by_somebody(const std::string& kind, const std::string& id, const json& change, Version version) {
  Records& records = this->records(kind);
  const json* meant = records.by_reference(id);
  return records.change(meant == nullptr ? id : (*meant)["id"].get<std::string>(), change, version, "somebody");
}

}  // namespace skald::erp
