#include <algorithm>
#include <charconv>

#include "samples/erp/erp_server.h"

namespace skald::erp {
namespace {

constexpr size_t kPage = 100;
constexpr size_t kMostPage = 1000;

size_t limit_of(const httplib::Request& http) {
  if (!http.has_param("limit")) return kPage;
  const std::string text = http.get_param_value("limit");
  size_t limit = 0;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data(), end, limit).ptr != end || limit < 1 || limit > kMostPage) {
    throw Refusal{422,
                  "invalid",
                  "limit must be a whole number from 1 to 1000",
                  {{"limit", "must be a whole number from 1 to 1000"}}};
  }
  return limit;
}

}  // namespace

// The feed of changes; or, by reference, the records that have it: at most one.
void ErpServer::add_feed(const std::string& path, const std::string& kind) {
  api("GET", path, [this, kind](const Request& request) -> Answer {
    Records& records = books_.records(kind);
    if (!request.http.has_param("reference"))
      return {200, records.page(request.http.get_param_value("after"), limit_of(request.http))};
    const json* found = records.by_reference(request.http.get_param_value("reference"));
    if (found != nullptr) ++found_;
    const json list = found == nullptr ? json::array() : json::array({*found});
    return {200, {{"records", list}, {"more", false}}};
  });
}

void ErpServer::add_catalogue_routes() {
  add_feed("/v1/items", "items");
  add_feed("/v1/stock", "stock");
  add_feed("/v1/technicians", "technicians");
  api("POST", "/v1/items", [this](const Request& r) -> Answer { return {201, books_.create_item(r.body)}; });
  api("GET", "/v1/items/{id}", [this](const Request& r) -> Answer { return {200, books_.records("items").at(r.id)}; });
  api("PUT", "/v1/items/{id}", [this](const Request& r) -> Answer {
    return {200, books_.change_item(r.id, r.body, r.version)};
  });
  api("GET", "/v1/stock/{id}", [this](const Request& r) -> Answer { return {200, books_.records("stock").at(r.id)}; });
  api("PUT", "/v1/stock/{id}", [this](const Request& r) -> Answer {
    return {200, books_.set_stock(r.id, r.body, r.version)};
  });
}

void ErpServer::add_order_routes() {
  add_feed("/v1/orders", "orders");
  api("POST", "/v1/orders", [this](const Request& r) -> Answer { return {201, books_.create_order(r.body)}; });
  api("PUT", "/v1/orders/{id}/outcome", [this](const Request& r) -> Answer {
    return {200, books_.set_outcome(r.id, r.body, r.version)};
  });
  api("GET", "/v1/orders/{id}", [this](const Request& r) -> Answer {
    return {200, books_.records("orders").at(r.id)};
  });
  add_feed("/v1/work-orders", "work_orders");
  api("POST", "/v1/work-orders", [this](const Request& r) -> Answer {
    return {201, books_.create_work_order(r.body)};
  });
  api("POST", "/v1/work-orders/{id}/assign", [this](const Request& r) -> Answer {
    return {200, books_.assign(r.id, r.body, r.version)};
  });
  api("POST", "/v1/work-orders/{id}/complete", [this](const Request& r) -> Answer {
    return {200, books_.complete(r.id, r.body, r.version)};
  });
  api("POST", "/v1/work-orders/{id}/cancel", [this](const Request& r) -> Answer {
    return {200, books_.cancel(r.id, r.body, r.version)};
  });
  api("GET", "/v1/work-orders/{id}", [this](const Request& r) -> Answer {
    return {200, books_.records("work_orders").at(r.id)};
  });
}

void ErpServer::add_sandbox_routes() {
  const auto locked = [this](Handler handler) -> Handler {
    return [this, handler](const Request& request) {
      std::lock_guard lock(mutex_);
      return handler(request);
    };
  };
  sandbox("GET", "/sandbox/books", [this](const Request&) -> Answer { return {200, books()}; });
  sandbox("PUT", "/sandbox/faults", [this](const Request& r) -> Answer {
    set_faults(r.body);
    return {200, r.body};
  });
  sandbox("POST", "/sandbox/items", locked([this](const Request& r) -> Answer {
            json made = json::array();
            for (const json& item : r.body) made.push_back(books_.create_item(item));
            return {201, made};
          }));
  sandbox("POST", "/sandbox/technicians", locked([this](const Request& r) -> Answer {
            return {201, books_.add_technician(r.body)};
          }));
  sandbox("POST", "/sandbox/stock/{id}/receive", locked([this](const Request& r) -> Answer {
            json fields = json::object();
            const int64_t quantity = whole_field(r.body, "quantity", 1, fields);
            refuse_wrong(fields);
            return {200, books_.receive(r.id, quantity)};
          }));
  for (const auto& [path, kind] : std::map<std::string, std::string>{
           {"items", "items"}, {"stock", "stock"}, {"orders", "orders"}, {"work-orders", "work_orders"}}) {
    sandbox("POST", "/sandbox/" + path + "/{id}", locked([this, kind = kind](const Request& r) -> Answer {
              return {200, books_.change_by_somebody(kind, r.id, r.body, r.version)};
            }));
  }
}

}  // namespace skald::erp
