#include "plugins/erp/audit.h"

#include <map>
#include <set>
#include <utility>

#include "plugins/erp/documents.h"
#include "plugins/erp/erp_call.h"
#include "plugins/erp/mirror.h"
#include "plugins/sdk/http_url.h"

namespace skald::plugin::erp {
namespace {

constexpr int64_t kRecordsAtOnce = 200;
constexpr size_t kNamed = 20;  // references that a list of the result names

// What we say of one record of the ERP.
struct Ours {
  std::string ref, state;  // of the record; empty: nothing is known to be written
  bool seen = false;
};

struct Comparison {
  std::map<std::string, Ours> ours;  // by the ERP's id
  int64_t agreed = 0;
  std::set<std::string> different, unknown_to_us;

  std::set<std::string> missing() const {
    std::set<std::string> out;
    for (const auto& [id, record] : ours) {
      if (!record.seen) out.insert(record.ref);
    }
    return out;
  }
};

json some(const std::set<std::string>& names) {
  json list = json::array();
  for (const std::string& name : names) {
    if (list.size() == kNamed) break;
    list.push_back(name);
  }
  return {{"count", names.size()}, {"some", std::move(list)}};
}

struct Kinds {
  std::string records, path;    // of the ERP, and where they are
  std::string created;          // our document that creates one
  std::set<std::string> later;  // those that change one
};

// Adds what a document says of a record, and what the mirror has heard of it since.
void add_document(EffectCall& call, const Kinds& kinds, const Row& row, json& page) {
  const std::string& kind = text(row[1]);
  if (kind != kinds.created && kinds.later.count(kind) == 0) return;
  const bool ended = text(row[3]) == "written" || text(row[3]) == "cancelled";
  if (text(row[3]) == "refused") return;
  if (!ended) page["unresolved"] = page["unresolved"].get<int64_t>() + 1;
  if (!ended || text(row[4]).empty()) return;
  const auto add = [&](int64_t version, const std::string& state) {
    page["documents"].push_back({{"id", text(row[4])}, {"ref", text(row[2])}, {"version", version}, {"state", state}});
  };
  const json answer = json::parse(text(row[6]));
  add(number(row[5]), answer.value("state", answer.value("outcome", "")));
  if (kind != kinds.created) return;
  const std::string name = json::parse(text(row[7])).value("reference", "");
  if (const auto heard = Mirror(call.db, call.context.namespace_name).find(kinds.records, name))
    add(heard->value("version", int64_t{0}), heard->value("state", ""));
}

// One page of our documents, from the key `after`: {"documents": [{"id", "ref", "version", "state"}], "unresolved",
// "next"}.
Effect books(const std::string& after, const Kinds& kinds) {
  return {.run = [=](EffectCall& call) -> json {
            json page = {{"documents", json::array()}, {"unresolved", 0}, {"next", ""}};
            for (const Row& row :
                 call.db.run("SELECT doc_key, kind, ref, state, erp_id, version, answer, body FROM erp_documents WHERE "
                             "namespace = ? AND doc_key > ? ORDER BY doc_key LIMIT ?",
                             {call.context.namespace_name, after, kRecordsAtOnce})) {
              page["next"] = text(row[0]);
              add_document(call, kinds, row, page);
            }
            return page;
          },
          .reads = true};
}

// The latest that we know of each record; returns how many documents are under way.
Async<int64_t> read_books(Desk& desk, Context& context, Kinds kinds, Comparison& result) {
  std::map<std::string, int64_t> versions;
  int64_t unresolved = 0;
  std::string after;
  do {
    const json page = co_await desk.book(context, books(after, kinds), nullptr);
    unresolved += page["unresolved"].get<int64_t>();
    for (const json& document : page["documents"]) {
      const std::string id = document["id"];
      const int64_t version = document["version"];
      if (version < versions[id]) continue;
      versions[id] = version;
      result.ours[id] = {document["ref"], document["state"]};
    }
    after = page["next"];
  } while (!after.empty());
  co_return unresolved;
}

void compare_record(const json& record, const std::string& prefix, Comparison& result) {
  const auto ours = result.ours.find(record.value("id", ""));
  const std::string reference = record.value("reference", "");
  if (ours == result.ours.end()) {
    if (reference.rfind(prefix, 0) == 0) result.unknown_to_us.insert(reference);
    return;
  }
  ours->second.seen = true;
  if (ours->second.state == record.value("state", "")) {
    ++result.agreed;
  } else {
    result.different.insert(ours->second.ref);
  }
}

Async<void> read_erp(Desk& desk, Context& context, std::string path, Comparison& result) {
  const std::string prefix = effect_key({context.namespace_name}) + "/";
  std::string cursor;
  for (bool more = true; more;) {
    ErpCall call;
    call.method = "GET";
    Url url(path);
    url.query("limit", kRecordsAtOnce);
    if (!cursor.empty()) url.query("after", cursor);
    call.path = url.text();
    const ErpReply reply = co_await call_erp(desk, context, std::move(call));
    if (!reply.ok()) refuse(reply);
    context.heartbeat({{"read", cursor}});
    const json page = reply.page();
    for (const json& record : page["records"]) compare_record(record, prefix, result);
    cursor = page.value("next", "");
    more = page.value("more", false);
  }
}

Async<json> compare(Desk& desk, Context& context, Kinds kinds) {
  Comparison result;
  const std::string path = kinds.path;
  const int64_t unresolved = co_await read_books(desk, context, std::move(kinds), result);
  co_await read_erp(desk, context, path, result);
  const std::set<std::string> missing = result.missing();
  const bool balanced = result.different.empty() && missing.empty() && result.unknown_to_us.empty() && unresolved == 0;
  co_return json{{"ours", result.ours.size()},
                 {"agreed", result.agreed},
                 {"different", some(result.different)},
                 {"missing_in_erp", some(missing)},
                 {"unknown_to_us", some(result.unknown_to_us)},
                 {"unresolved", unresolved},
                 {"balanced", balanced}};
}

Effect counting_conflicts() {
  return {.run = [](EffectCall& call) -> json {
            return number(call.db.run("SELECT COUNT(*) FROM erp_conflicts WHERE namespace = ? AND state = 'open'",
                                      {call.context.namespace_name})[0][0]);
          },
          .reads = true};
}

}  // namespace

Async<json> audit(Desk& desk, Context& context, const json&) {
  Kinds orders{"orders", "/v1/orders", "order", {"outcome"}};
  Kinds work{"work_orders", "/v1/work-orders", "work_order", {"assignment", "completion"}};
  json of_orders = co_await compare(desk, context, std::move(orders));
  json of_work = co_await compare(desk, context, std::move(work));
  const json conflicts = co_await desk.book(context, counting_conflicts(), nullptr);
  const bool balanced = of_orders["balanced"].get<bool>() && of_work["balanced"].get<bool>();
  co_return json{{"balanced", balanced},
                 {"orders", std::move(of_orders)},
                 {"work_orders", std::move(of_work)},
                 {"open_conflicts", conflicts}};
}

}  // namespace skald::plugin::erp
