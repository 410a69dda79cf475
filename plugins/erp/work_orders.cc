#include "plugins/erp/work_orders.h"

#include <utility>

#include "plugins/erp/erp_call.h"
#include "plugins/erp/mirror.h"
#include "plugins/erp/orders.h"
#include "plugins/erp/write_record.h"
#include "plugins/sdk/fields.h"
#include "plugins/sdk/http_url.h"

namespace skald::plugin::erp {
namespace {

constexpr int kRounds = 5;
constexpr int64_t kStormDelayMs = 1000;
constexpr int64_t kNobodyFreeDelayMs = 5000;

json creation_request(const Context& context, const json& input) {
  // The reference is one workflow's: another's work order is never taken for it.
  const std::string reference =
      effect_key({context.namespace_name, context.workflow_id, required_text(input, "reference")});
  return {{"reference", reference},
          {"asset", required_text(input, "asset")},
          {"kind", required_text(input, "kind")},
          {"description", required_text(input, "description")},
          {"priority", optional_text(input, "priority")},
          {"parts", checked_lines(input, "parts", false)}};
}

[[noreturn]] void throw_refusal(const ErpReply& reply, const std::string& id) {
  json current = reply.current();
  if (current.is_null()) current = json::object();
  if (reply.code() == "nobody_free")
    throw ActivityError("NobodyFree", reply.message(), false, nullptr, kNobodyFreeDelayMs);
  if (current.value("state", "") == "cancelled")
    throw ActivityError("WorkOrderCancelled", "the work order " + id + " was cancelled", true, current);
  if (current.value("state", "") == "completed")
    throw ActivityError("WorkOrderCompleted", "the work order " + id + " is completed", true, current);
  refuse(reply);
}

// The work order that a step is about, created if its answer got lost, with the version that we know.
Async<WorkOrderStep> work_order_of(Desk& desk, Context& context, std::string reference) {
  const std::string own = effect_key({context.namespace_name, context.workflow_id, "erp_work_order", reference});
  std::optional<Document> found = co_await find_document(desk, context, own, "work_order", reference);
  if (!found) throw ActivityError("WorkOrderNotFound", "there is no work order " + reference, true);
  if (found->state == "cancelling" || found->state == "cancelled")
    throw ActivityError("WorkOrderCancelled", "the work order " + reference + " was cancelled", true);
  WorkOrderStep step;
  if (found->erp_id.empty()) {
    const json answer = co_await create_in_erp(desk, context, *found, kWorkOrders);
    found->erp_id = answer["erp_id"];
    found->version = answer["version"];
  }
  Effect look;
  look.run = [name = found->body["reference"].get<std::string>()](EffectCall& call) -> json {
    const auto known = Mirror(call.db, call.context.namespace_name).find("work_orders", name);
    return known ? known->value("version", int64_t{0}) : int64_t{0};
  };
  const json known = co_await desk.book(context, std::move(look), nullptr);
  step.id = found->erp_id;
  step.version = std::max(found->version, known.get<int64_t>());
  co_return step;
}

struct StepRequest {
  std::string step, kind, reference;  // of the effect and its document
  std::string verb;
  json body;
};

Async<json> write_step(Desk& desk, Context& context, Document document, std::string verb) {
  WorkOrderStep step = co_await work_order_of(desk, context, document.ref);
  step.verb = std::move(verb);
  step.body = document.body;
  step.key = document.key;
  const json record = co_await step_of_work_order(desk, context, std::move(step));
  Ending ending;
  ending.erp_id = record.value("id", "");
  ending.version = record.value("version", int64_t{0});
  ending.answer = {{"work_order", ending.erp_id},
                   {"version", ending.version},
                   {"state", record.value("state", "")},
                   {"technician", record.value("technician", json())}};
  ending.records.emplace_back("work_orders", record);
  co_return co_await end_document(desk, context, document.key, std::move(ending));
}

Async<json> take_step(Desk& desk, Context& context, const json& input, StepRequest request) {
  NewDocument wanted;
  wanted.step = request.step;
  wanted.kind = request.kind;
  wanted.ref = required_text(input, "reference");
  wanted.reference = request.reference;
  wanted.body = request.body;
  Document document = co_await begin_document(desk, context, std::move(wanted));
  if (document.written()) co_return document.answer;
  Async<json> writing = write_step(desk, context, document, request.verb);
  co_return co_await unless_refused(desk, context, document.key, std::move(writing));
}

}  // namespace

Async<json> step_of_work_order(Desk& desk, Context& context, WorkOrderStep step) {
  const std::string path = Url("/v1/work-orders").segment(step.id).text();
  for (int round = 0; round < kRounds; ++round) {
    ErpCall call;
    call.method = "POST";
    call.path = path + "/" + step.verb;
    call.body = step.body;
    call.key = step.key;
    call.version = step.version;
    ErpReply reply = co_await call_erp(desk, context, std::move(call));
    if (reply.ok()) co_return reply.record();
    if (!reply.is_version_conflict()) throw_refusal(reply, step.id);
    json record = co_await read_record(desk, context, path);
    if (record.is_null()) refuse(reply);
    if (!step.reached.empty() && record.value("state", "") == step.reached) co_return record;
    step.version = record.value("version", int64_t{0});
  }
  throw ActivityError("ErpConflictStorm", "the work order " + step.id + " changes faster than it can be written", false,
                      nullptr, kStormDelayMs);
}

Async<json> create_work_order(Desk& desk, Context& context, const json& input) {
  NewDocument wanted;
  wanted.step = "erp_work_order";
  wanted.kind = "work_order";
  wanted.ref = wanted.reference = required_text(input, "reference");
  wanted.body = creation_request(context, input);
  Document document = co_await begin_document(desk, context, std::move(wanted));
  json answer = document.answer;
  if (!document.written()) {
    Async<json> creation = create_in_erp(desk, context, document, kWorkOrders);
    answer = co_await unless_refused(desk, context, document.key, std::move(creation));
  }
  co_return json{{"work_order", answer["erp_id"]}, {"version", answer["version"]}, {"state", answer["state"]}};
}

Async<json> assign_work_order(Desk& desk, Context& context, const json& input) {
  StepRequest request{"erp_assign", "assignment", text_or(input, "assign_id", "reference"), "assign", json::object()};
  request.body["skill"] = optional_text(input, "skill");
  co_return co_await take_step(desk, context, input, std::move(request));
}

Async<json> complete_work_order(Desk& desk, Context& context, const json& input) {
  StepRequest request{"erp_complete", "completion", required_text(input, "reference"), "complete", json::object()};
  request.body["by"] = required_text(input, "by");
  request.body["notes"] = optional_text(input, "notes");
  co_return co_await take_step(desk, context, input, std::move(request));
}

}  // namespace skald::plugin::erp
