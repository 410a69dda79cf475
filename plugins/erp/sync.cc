#include "plugins/erp/sync.h"

#include <utility>

#include "plugins/erp/conflicts.h"
#include "plugins/erp/documents.h"
#include "plugins/erp/erp_call.h"
#include "plugins/erp/mirror.h"
#include "plugins/erp/write_record.h"
#include "plugins/sdk/fields.h"
#include "plugins/sdk/http_url.h"

namespace skald::plugin::erp {
namespace {

constexpr int64_t kItemsAtOnce = 100;
constexpr int64_t kMostPage = 1000;
constexpr int64_t kMostAmount = 1000000000000000;
constexpr char kBaseline[] = "stock_baseline";  // how far it is, among the cursors
constexpr char kNoPageYet[] = "NoPageYet";

// Whether the feed of stock is being read for the first time, up to its end: what had been received before is no
// arrival. Of a feed that has been read before this was asked for, nothing is the first time.
bool is_first_reading(Mirror& mirror) {
  const std::string reading = mirror.cursor(kBaseline);
  return reading == "taking" || (reading.empty() && mirror.cursor("stock").empty());
}

// What a page means to us: the records that we did not know yet, and the goods that have arrived.
json apply_page(EffectCall& call, const std::string& kind, const json& page) {
  Mirror mirror(call.db, call.context.namespace_name);
  json changes = json::array(), arrivals = json::array();
  const bool baseline = kind == "stock" && call.input["first_stock"] == "baseline" && is_first_reading(mirror);
  if (baseline) mirror.move_cursor(kBaseline, page.value("more", false) ? "taking" : "taken");
  for (const json& record : page["records"]) {
    if (mirror.keep(kind, record)) changes.push_back(record);
    if (kind != "stock") continue;
    if (const int64_t arrived = mirror.take_arrivals(record); arrived > 0 && !baseline)
      arrivals.push_back({{"sku", Mirror::name_of(record)}, {"quantity", arrived}});
  }
  const std::string next = page["next"];
  mirror.move_cursor(kind, next);
  json out = {{"changes", std::move(changes)}, {"cursor", next}, {"more", page.value("more", false)}};
  if (kind == "stock") {
    out["arrivals"] = std::move(arrivals);
    out["load_id"] = "erp/" + next;
  }
  return out;
}

// Applies a page and moves the cursor in one transaction, and answers the same to another attempt of the activity.
// Without a page, one that was not applied yet: NoPageYet with the cursor to read it from.
Effect application(const std::string& kind, const std::string& pull_id) {
  return {.step = "erp_pull",
          .reference =
              [=](const json&) {
                return EffectId(effect_key({kind, pull_id}));
              },
          .scope = Effect::Scope::kWorkflow,
          .run = [kind](EffectCall& call) -> json {
            Mirror mirror(call.db, call.context.namespace_name);
            const std::string cursor = mirror.cursor(kind);
            if (call.input.is_null()) throw ActivityError(kNoPageYet, cursor, false, is_first_reading(mirror));
            if (call.input["after"] != cursor)
              throw ActivityError("CursorMoved", "somebody else has read the feed of " + kind + " meanwhile");
            return apply_page(call, kind, call.input["page"]);
          }};
}

Async<json> read_page(Desk& desk, Context& context, std::string kind, std::string after, int64_t limit) {
  ErpCall call;
  call.method = "GET";
  Url url("/v1");
  url.segment(kind).query("limit", limit);
  if (!after.empty()) url.query("after", after);
  call.path = url.text();
  const ErpReply reply = co_await call_erp(desk, context, std::move(call));
  if (!reply.ok()) refuse(reply);
  json page = reply.page();
  if (!page.contains("next")) throw ActivityError("ErpUnreadable", "the ERP's page of " + kind + " has no cursor");
  co_return page;
}

struct Push {
  std::string step, kind, sku;
  json request;
  std::string create_method, create_path;  // when the ERP has no such record
  json creation;
};

// On top of the version that the caller has seen, or that the mirror has; null: nobody has seen one.
Writing writing_on(const Push& push, const std::string& path, const json& known, int64_t base_version, int64_t decided_ms) {
  Writing writing;
  writing.kind = push.kind;
  writing.name = push.sku;
  writing.read_path = writing.path = path;
  writing.request = writing.wanted = push.request;
  writing.decided_ms = decided_ms;
  writing.create_method = push.create_method;
  writing.create_path = push.create_path;
  writing.creation = push.creation;
  if (known.is_object() && (base_version == 0 || known.value("version", int64_t{0}) == base_version)) {
    writing.version = known.value("version", int64_t{0});
    writing.base = known;
  } else if (base_version > 0) {
    writing.version = base_version;
    writing.base = json::object();
  }
  return writing;
}

Async<json> known_record(Desk& desk, Context& context, std::string kind, std::string name) {
  Effect look;
  look.run = [=](EffectCall& call) -> json {
    const auto known = Mirror(call.db, call.context.namespace_name).find(kind, name);
    return known ? *known : json();
  };
  co_return co_await desk.book(context, std::move(look), nullptr);
}

Async<json> write_push(Desk& desk, Context& context, Document document, Writing writing) {
  const Written written = co_await write_record(desk, context, writing, desk.rule(writing.kind), document.key);
  Ending ending;
  ending.erp_id = written.id();
  ending.version = written.version();
  ending.answer = {{"sku", writing.name}, {"version", written.version()}, {"winner", written.winner}};
  for (const auto& [field, value] : writing.wanted.items()) ending.answer[field] = written.record.value(field, json());
  if (written.winner == "open") {
    ending.conflict = conflict_of(document.key, writing, written.record);
    ending.answer["conflict"] = ending.conflict["conflict"];
  }
  ending.records.emplace_back(writing.kind, written.record);
  co_return co_await end_document(desk, context, document.key, std::move(ending));
}

Async<json> push_record(Desk& desk, Context& context, const json& input, Push push) {
  const int64_t base_version =
      has_field(input, "base_version") ? whole_number(input, "base_version", 1, kMostAmount) : 0;
  const std::string path = Url("/v1").segment(push.kind).segment(push.sku).text();
  NewDocument wanted;
  wanted.step = push.step;
  wanted.kind = push.kind;
  wanted.ref = push.sku;
  wanted.reference = effect_key({push.sku, optional_text(input, "push_id", context.idempotency_key)});
  wanted.body = push.request;
  Document document = co_await begin_document(desk, context, std::move(wanted));
  if (document.written()) co_return document.answer;
  const int64_t decided_ms =
      has_field(input, "changed_at_ms") ? whole_number(input, "changed_at_ms", 0, kMostAmount) : document.begun_ms;
  const json known = co_await known_record(desk, context, push.kind, push.sku);
  Writing writing = writing_on(push, path, known, base_version, decided_ms);
  Async<json> work = write_push(desk, context, document, std::move(writing));
  co_return co_await unless_refused(desk, context, document.key, std::move(work));
}

}  // namespace

Async<json> pull(Desk& desk, Context& context, const json& input) {
  const std::string kind = required_text(input, "what");
  if (kind != "items" && kind != "stock" && kind != "orders") refuse_input("what must be items, stock or orders");
  const int64_t limit = has_field(input, "limit") ? whole_number(input, "limit", 1, kMostPage) : kItemsAtOnce;
  const std::string first_stock = optional_text(input, "first_stock", "arrivals");
  if (first_stock != "arrivals" && first_stock != "baseline") refuse_input("first_stock must be arrivals or baseline");
  const Effect effect = application(kind, optional_text(input, "pull_id", context.idempotency_key));
  std::string cursor;
  bool is_first = false;
  try {
    co_return co_await desk.book(context, effect, nullptr);
  } catch (const ActivityError& error) {
    if (error.type != kNoPageYet) throw;
    cursor = error.what();
    is_first = kind == "stock" && first_stock == "baseline" && error.details == true;
  }
  json page = co_await read_page(desk, context, kind, cursor, limit);
  json found = {{"after", cursor}, {"page", std::move(page)}, {"first_stock", first_stock}};
  // What changes nothing needs no record. The end of the first reading does: what comes later has arrived.
  if (!is_first && found["page"]["records"].empty()) {
    json none = {{"changes", json::array()}, {"cursor", cursor}, {"more", false}};
    if (kind == "stock") none["arrivals"] = json::array();
    co_return none;
  }
  co_return co_await desk.book(context, effect, std::move(found));
}

Async<json> push_stock(Desk& desk, Context& context, const json& input) {
  Push push{"erp_stock", "stock", required_text(input, "sku"), json::object()};
  push.request["quantity"] = whole_number(input, "quantity", 0, kMostAmount);
  push.create_method = "PUT";
  push.create_path = Url("/v1/stock").segment(push.sku).text();
  push.creation = push.request;
  co_return co_await push_record(desk, context, input, push);
}

Async<json> push_item(Desk& desk, Context& context, const json& input) {
  Push push{"erp_item", "items", required_text(input, "sku"), json::object()};
  if (has_field(input, "name")) push.request["name"] = required_text(input, "name");
  if (has_field(input, "price")) push.request["price"] = whole_number(input, "price", 0, kMostAmount);
  if (push.request.empty()) refuse_input("an item needs a name or a price");
  push.create_method = "POST";
  push.create_path = "/v1/items";
  push.creation = push.request;
  push.creation["sku"] = push.sku;
  co_return co_await push_record(desk, context, input, push);
}

json find_item(EffectCall& call) {
  const std::string sku = required_text(call.input, "sku");
  Mirror mirror(call.db, call.context.namespace_name);
  const auto item = mirror.find("items", sku), stock = mirror.find("stock", sku);
  if (!item && !stock) throw ActivityError("ItemNotFound", "nothing is known of an item " + sku + " in the ERP", true);
  return {{"sku", sku}, {"item", item ? *item : json()}, {"stock", stock ? *stock : json()}};
}

}  // namespace skald::plugin::erp
