#include "plugins/erp/orders.h"

#include <utility>

#include "plugins/erp/conflicts.h"
#include "plugins/erp/create.h"
#include "plugins/erp/erp_call.h"
#include "plugins/erp/mirror.h"
#include "plugins/erp/write_record.h"
#include "plugins/sdk/fields.h"
#include "plugins/sdk/http_url.h"

namespace skald::plugin::erp {
namespace {

constexpr int64_t kMostAmount = 1000000000000000;
const Creation kOrders{"orders", "/v1/orders"};

json order_request(const Context& context, const json& input) {
  return {{"reference", erp_reference(context, required_text(input, "order_id"))},
          {"lines", checked_lines(input, "items", true)},
          {"total", whole_number(input, "total", 0, kMostAmount)},
          {"currency", required_text(input, "currency")},
          {"country", required_text(input, "country")},
          {"customer", optional_text(input, "customer")}};
}

json outcome_request(const json& input) {
  const std::string outcome = required_text(input, "outcome");
  if (outcome != "confirmed" && outcome != "rejected" && outcome != "cancelled" && outcome != "returned")
    refuse_input("outcome must be confirmed, rejected, cancelled or returned");
  const json compensations = has_field(input, "compensations") ? required_list(input, "compensations") : json::array();
  return {{"outcome", outcome}, {"reason", optional_text(input, "reason")}, {"compensations", compensations}};
}

// The ERP's id of the order: from our books, or if its answer got lost by sending it again.
Async<Document> order_of(Desk& desk, Context& context, std::string order_id) {
  const std::string own = effect_key({context.namespace_name, context.workflow_id, "erp_order", order_id});
  std::optional<Document> found = co_await find_document(desk, context, own, "order", order_id);
  if (!found) throw ActivityError("OrderNotPushed", "order " + order_id + " was never written to the ERP", true);
  if (!found->erp_id.empty()) co_return *std::move(found);
  const json answer = co_await create_in_erp(desk, context, *found, kOrders);
  found->erp_id = answer["erp_id"];
  found->version = answer["version"];
  co_return *std::move(found);
}

// What the order was when its outcome was decided: the version we know, if the mirror has none that is newer.
Async<Writing> outcome_writing(Desk& desk, Context& context, Document order, Document document) {
  Effect look;
  look.run = [reference = erp_reference(context, order.ref)](EffectCall& call) -> json {
    const auto known = Mirror(call.db, call.context.namespace_name).find("orders", reference);
    return known ? *known : json();
  };
  const json known = co_await desk.book(context, std::move(look), nullptr);
  const std::string outcome = document.body["outcome"];
  Writing writing;
  writing.kind = "orders";
  writing.name = erp_reference(context, order.ref);
  writing.read_path = Url("/v1/orders").segment(order.erp_id).text();
  writing.path = writing.read_path + "/outcome";
  writing.request = document.body;
  writing.wanted = {{"state", outcome}};
  const char* expected = outcome == "returned" ? "confirmed" : "open";
  writing.base = {{"state", expected}};
  // A version in which the order is no longer what it must be is none to write on unseen.
  if (known.is_object() && known.value("state", "") == expected) writing.version = known.value("version", int64_t{0});
  writing.decided_ms = document.begun_ms;
  co_return writing;
}

Async<json> write_outcome(Desk& desk, Context& context, Document document) {
  Document order = co_await order_of(desk, context, document.ref);
  Writing writing = co_await outcome_writing(desk, context, order, document);
  Written written = co_await write_record(desk, context, writing, desk.rule("orders"), document.key);
  Ending ending;
  ending.erp_id = order.erp_id;
  ending.version = written.version();
  ending.answer = {{"erp_id", order.erp_id},
                   {"version", written.version()},
                   {"outcome", written.record.value("state", "")},
                   {"winner", written.winner}};
  if (written.winner == "open") ending.conflict = conflict_of(document.key, writing, written.record);
  if (written.winner == "open") ending.answer["conflict"] = ending.conflict["conflict"];
  ending.records.emplace_back("orders", written.record);
  co_return co_await end_document(desk, context, document.key, std::move(ending));
}

}  // namespace

json checked_lines(const json& input, const std::string& field, bool required) {
  json lines = json::array();
  if (!required && !has_field(input, field)) return lines;
  for (const json& line : required_list(input, field)) {
    const std::string where = field + "[" + std::to_string(lines.size()) + "].";
    lines.push_back({{"sku", required_text(line, "sku", where)},
                     {"quantity", whole_number(line, "quantity", 1, 1000000000, where)}});
  }
  if (required && lines.empty()) refuse_input(field + " must not be empty");
  return lines;
}

Async<json> push_order(Desk& desk, Context& context, const json& input) {
  NewDocument wanted;
  wanted.step = "erp_order";
  wanted.kind = "order";
  wanted.ref = wanted.reference = required_text(input, "order_id");
  wanted.body = order_request(context, input);
  Document document = co_await begin_document(desk, context, std::move(wanted));
  if (document.written()) co_return document.answer;
  Async<json> creation = create_in_erp(desk, context, document, kOrders);
  co_return co_await unless_refused(desk, context, document.key, std::move(creation));
}

Async<json> push_outcome(Desk& desk, Context& context, const json& input) {
  const std::string order_id = required_text(input, "order_id");
  NewDocument wanted;
  wanted.step = "erp_outcome";
  wanted.kind = "outcome";
  wanted.ref = order_id;
  wanted.body = outcome_request(input);
  wanted.reference = effect_key({order_id, wanted.body["outcome"].get<std::string>()});
  Document document = co_await begin_document(desk, context, std::move(wanted));
  if (document.written()) co_return document.answer;
  Async<json> writing = write_outcome(desk, context, document);
  co_return co_await unless_refused(desk, context, document.key, std::move(writing));
}

json find_order(EffectCall& call) {
  const std::string order_id = required_text(call.input, "order_id");
  const auto found = Mirror(call.db, call.context.namespace_name).find("orders", erp_reference(call.context, order_id));
  if (!found) throw ActivityError("OrderNotFound", "nothing is known of an order " + order_id + " in the ERP", true);
  return *found;
}

}  // namespace skald::plugin::erp
