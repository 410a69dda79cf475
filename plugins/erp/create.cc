#include "plugins/erp/create.h"

#include <utility>

#include "plugins/erp/erp_call.h"
#include "plugins/sdk/http_url.h"

namespace skald::plugin::erp {
namespace {

// What we asked for is what is there; the ERP may have added fields.
bool says_the_same(const json& request, const json& record) {
  for (const auto& [field, value] : request.items()) {
    if (record.value(field, json()) != value) return false;
  }
  return true;
}

void check_ours(const Document& document, const json& record) {
  if (says_the_same(document.body, record)) return;
  throw ActivityError(
      "DuplicateReference",
      "the ERP has another " + document.kind + " under the reference " + document.body.value("reference", ""), true,
      record);
}

Async<json> find_by_reference(Desk& desk, Context& context, std::string path, std::string reference) {
  ErpCall call;
  call.method = "GET";
  call.path = Url(path).query("reference", reference).text();
  const ErpReply reply = co_await call_erp(desk, context, std::move(call));
  if (!reply.ok()) refuse(reply);
  const json page = reply.page();
  if (page["records"].empty()) co_return nullptr;
  co_return page["records"][0];
}

Async<json> find_or_create(Desk& desk, Context& context, Document document, Creation creation) {
  if (document.sends > 1) {
    json found = co_await find_by_reference(desk, context, creation.path, document.body["reference"]);
    if (!found.is_null() && says_the_same(document.body, found)) co_return found;
  }
  ErpCall call;
  call.method = "POST";
  call.path = creation.path;
  call.body = document.body;
  call.key = document.key;
  ErpReply reply = co_await call_erp(desk, context, std::move(call));
  if (reply.ok()) {
    json created = reply.record();
    if (created.value("id", "").empty())
      throw ActivityError("ErpUnreadable", "the ERP's answer has no id of the new record");
    co_return created;
  }
  if (reply.code() != "duplicate_reference") refuse(reply);
  json found = reply.current();
  if (found.is_null()) found = co_await find_by_reference(desk, context, creation.path, document.body["reference"]);
  if (found.is_null()) throw ActivityError("ErpUnreadable", "the ERP does not show whose reference it has already");
  check_ours(document, found);
  co_return found;
}

}  // namespace

Async<json> create_in_erp(Desk& desk, Context& context, Document document, Creation creation) {
  const json record = co_await find_or_create(desk, context, document, creation);
  Ending ending;
  ending.erp_id = record.value("id", "");
  ending.version = record.value("version", int64_t{0});
  ending.answer = {{"erp_id", ending.erp_id}, {"version", ending.version}, {"state", record.value("state", "")}};
  ending.records.emplace_back(creation.kind, record);
  co_return co_await end_document(desk, context, document.key, std::move(ending));
}

Async<json> make_sure_of(Desk& desk, Context& context, Document document, Creation creation) {
  document.sends = 2;  // nobody knows whether it was sent
  json record;
  try {
    record = co_await find_or_create(desk, context, std::move(document), std::move(creation));
  } catch (const ActivityError& error) {
    if (error.type != "ErpRefused" && error.type != "DuplicateReference") throw;
  }
  co_return record;
}

}  // namespace skald::plugin::erp
