#include <utility>

#include "plugins/erp/mirror.h"
#include "plugins/erp/work_orders.h"
#include "plugins/sdk/fields.h"

// The compensation of create_work_order. It may come before its action, after it, or while it is under way:
// - the ledger closes the door: from then on no attempt begins to create the work order;
// - if one had begun, its request may arrive at the ERP at any time. So the work order is made sure of under the same
//   idempotency key, and what comes later is the same one; then it is cancelled.
namespace skald::plugin::erp {
namespace {

Effect closing(const std::string& reference) {
  return {.step = "erp_cancel_work_order",
          .undoes = "erp_work_order",
          .reference = [reference](const json&) { return EffectId(reference); },
          .scope = Effect::Scope::kWorkflow,
          .run = [](EffectCall& call) -> json {
            const auto document = read_document(call.db, call.undoes);
            if (!document) return {{"undone", false}};
            set_document_state(call.db, call.undoes, "cancelling");
            return {{"undone", true}, {"document", call.undoes}, {"key", call.key}};
          }};
}

Effect reading(const std::string& key) {
  return {.run = [key](EffectCall& call) -> json {
    const auto document = read_document(call.db, key);
    if (!document) return nullptr;
    return {{"state", document->state},  {"erp_id", document->erp_id}, {"version", document->version},
            {"body", document->body},    {"ref", document->ref},       {"kind", document->kind},
            {"answer", document->answer}};
  }};
}

// `record` null: the ERP has none, and will have none.
Effect ending(const std::string& key, const json& record) {
  return {.run = [key, record](EffectCall& call) -> json {
    json answer = {{"undone", !record.is_null()}};
    std::string id;
    if (!record.is_null()) {
      Mirror(call.db, call.context.namespace_name).keep("work_orders", record);
      id = record.value("id", "");
      answer["work_order"] = id;
      answer["state"] = record.value("state", "");
    }
    call.db.run("UPDATE erp_documents SET state = 'cancelled', erp_id = ?, version = ?, answer = ? WHERE doc_key = ?",
                {id, record.is_null() ? int64_t{0} : record.value("version", int64_t{0}), answer.dump(), key});
    return answer;
  }};
}

// Somebody has done the work: it stays what it is.
Effect reopening(const std::string& key) {
  return {.run = [key](EffectCall& call) -> json {
    set_document_state(call.db, key, "written");
    return nullptr;
  }};
}

// The work order's record, from the books or from the ERP; null: it refused to create it.
Async<json> record_of(Desk& desk, Context& context, std::string key, json known) {
  if (known["erp_id"] != "") co_return json{{"id", known["erp_id"]}, {"version", known["version"]}};
  Document document{key, known["kind"], known["ref"], known["state"], ""};
  document.body = known["body"];
  co_return co_await make_sure_of(desk, context, std::move(document), kWorkOrders);
}

}  // namespace

Async<json> cancel_work_order(Desk& desk, Context& context, const json& input) {
  const std::string reference = required_text(input, "reference");
  WorkOrderStep step;
  step.verb = "cancel";
  step.reached = "cancelled";
  step.body = {{"reason", required_text(input, "reason")}};
  const json closed = co_await desk.book(context, closing(reference), input);
  if (closed["undone"] == false) co_return closed;
  const std::string key = closed["document"];
  const json known = co_await desk.book(context, reading(key), nullptr);
  if (known["state"] == "cancelled") co_return known["answer"];
  const json record = co_await record_of(desk, context, key, known);
  if (record.is_null()) co_return co_await desk.book(context, ending(key, nullptr), nullptr);
  step.id = record.value("id", "");
  step.version = record.value("version", int64_t{0});
  step.key = closed["key"];
  json cancelled;
  std::optional<ActivityError> refusal;
  try {
    cancelled = co_await step_of_work_order(desk, context, std::move(step));
  } catch (const ActivityError& error) {
    if (error.type != "WorkOrderCompleted") throw;
    refusal = error;
  }
  if (refusal) {
    co_await desk.book(context, reopening(key), nullptr);
    throw *refusal;
  }
  co_return co_await desk.book(context, ending(key, cancelled), nullptr);
}

}  // namespace skald::plugin::erp
