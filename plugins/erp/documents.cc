#include "plugins/erp/documents.h"

#include "plugins/erp/clock.h"
#include "plugins/erp/conflicts.h"
#include "plugins/erp/mirror.h"

namespace skald::plugin::erp {
namespace {

const std::string kSelect =
    "SELECT doc_key, kind, ref, state, erp_id, version, sends, begun_ms, body, answer FROM erp_documents WHERE ";
const std::string kByKey = kSelect + "doc_key = ? FOR UPDATE";
const std::string kAbout = kSelect + "namespace = ? AND kind = ? AND ref = ? ORDER BY begun_ms";

Document document_in(const Row& row) {
  Document document{text(row[0]), text(row[1]), text(row[2]), text(row[3]), text(row[4])};
  document.version = number(row[5]);
  document.sends = number(row[6]);
  document.begun_ms = number(row[7]);
  document.body = json::parse(text(row[8]));
  if (!text(row[9]).empty()) document.answer = json::parse(text(row[9]));
  return document;
}

json to_json(const Document& d) {
  return {{"key", d.key},         {"kind", d.kind},   {"ref", d.ref},   {"state", d.state},   {"erp_id", d.erp_id},
          {"version", d.version}, {"sends", d.sends}, {"body", d.body}, {"answer", d.answer}, {"begun_ms", d.begun_ms}};
}

Document from_json(const json& d) {
  Document document{d["key"], d["kind"], d["ref"], d["state"], d["erp_id"]};
  document.version = d["version"];
  document.sends = d["sends"];
  document.begun_ms = d["begun_ms"];
  document.body = d["body"];
  document.answer = d["answer"];
  return document;
}

[[noreturn]] void throw_compensated(const std::string& key) {
  throw ActivityError("AlreadyCompensated", key + " was cancelled: it is not done any more", true);
}

void check_same(const Document& document, const json& body) {
  if (document.state == "cancelling" || document.state == "cancelled") throw_compensated(document.key);
  if (document.body != body) {
    throw ActivityError("IdempotencyConflict",
                        document.key + " was asked for with " + document.body.dump() + ", and now with " + body.dump() +
                            ": give what is another one a reference of its own",
                        true);
  }
}

// Counts one more beginning; null if there is no such document.
Effect beginning(const std::string& key) {
  return {.run = [key](EffectCall& call) -> json {
    call.db.run("UPDATE erp_documents SET sends = sends + 1 WHERE doc_key = ?", {key});
    if (call.db.changed() == 0) return nullptr;
    const auto document = read_document(call.db, key);
    if (document && document->state == "refused") set_document_state(call.db, key, "sending");
    return document ? to_json(*document) : json();
  }};
}

Effect insertion(const NewDocument& wanted) {
  return {.step = wanted.step,
          .reference = [reference = wanted.reference](const json&) { return EffectId(reference); },
          .scope = Effect::Scope::kWorkflow,
          .binding = {"body"},
          .run = [kind = wanted.kind, ref = wanted.ref](EffectCall& call) -> json {
            const int64_t now = now_ms();
            call.db.run(
                "INSERT INTO erp_documents (doc_key, namespace, kind, ref, state, erp_id, version, sends, begun_ms, "
                "body, answer) VALUES (?, ?, ?, ?, 'sending', '', 0, 1, ?, ?, '')",
                {call.key, call.context.namespace_name, kind, ref, now, call.input["body"].dump()});
            return {{"begun_ms", now}};
          }};
}

// The one that has been written; if that leaves a choice somebody has to make it.
json choose(const std::vector<Row>& rows, const std::string& kind, const std::string& ref) {
  std::optional<Document> chosen;
  for (const Row& row : rows) {
    Document document = document_in(row);
    if (!document.written() || document.erp_id.empty()) continue;
    if (chosen && chosen->erp_id != document.erp_id) {
      throw ActivityError("Ambiguous",
                          "several workflows have a " + kind + " " + ref + ": let the one that made it do this", true);
    }
    if (!chosen) chosen = std::move(document);
  }
  return to_json(chosen ? *chosen : document_in(rows[0]));
}

}  // namespace

void create_document_tables(EffectStore& db) {
  db.run(
      "CREATE TABLE IF NOT EXISTS erp_documents (doc_key VARCHAR(2048) NOT NULL PRIMARY KEY, namespace VARCHAR(255) "
      "NOT NULL, kind VARCHAR(16) NOT NULL, ref VARCHAR(1000) NOT NULL, state VARCHAR(16) NOT NULL, erp_id "
      "VARCHAR(255) NOT NULL, version BIGINT NOT NULL, sends BIGINT NOT NULL, begun_ms BIGINT NOT NULL, body TEXT NOT "
      "NULL, answer TEXT NOT NULL)");
  db.run("CREATE INDEX IF NOT EXISTS erp_documents_about ON erp_documents (namespace, kind, ref)");
}

std::optional<Document> read_document(EffectStore& db, const std::string& key) {
  const auto rows = db.run(kByKey, {key});
  if (rows.empty()) return std::nullopt;
  return document_in(rows[0]);
}

void set_document_state(EffectStore& db, const std::string& key, const std::string& state) {
  db.run("UPDATE erp_documents SET state = ? WHERE doc_key = ?", {state, key});
}

Async<Document> begin_document(Desk& desk, Context& context, NewDocument wanted) {
  const std::string key = effect_key({context.namespace_name, context.workflow_id, wanted.step, wanted.reference});
  const json there = co_await desk.book(context, beginning(key), nullptr);
  if (!there.is_null()) {
    Document document = from_json(there);
    check_same(document, wanted.body);
    co_return document;
  }
  json input = {{"body", wanted.body}};
  const json begun = co_await desk.book(context, insertion(wanted), std::move(input));
  Document document{key, wanted.kind, wanted.ref, "sending", ""};
  document.sends = 1;
  document.begun_ms = begun["begun_ms"];
  document.body = wanted.body;
  co_return document;
}

Async<json> end_document(Desk& desk, Context& context, std::string key, Ending ending) {
  Effect effect;
  effect.run = [key, ending](EffectCall& call) -> json {
    call.db.run(
        "UPDATE erp_documents SET erp_id = ?, version = ?, answer = ?, state = 'written' WHERE doc_key = ? AND state = "
        "'sending'",
        {ending.erp_id, ending.version, ending.answer.dump(), key});
    if (call.db.changed() == 0) {
      const auto document = read_document(call.db, key);
      if (!document || !document->written()) throw_compensated(key);
      return document->answer;
    }
    Mirror mirror(call.db, call.context.namespace_name);
    for (const auto& [kind, record] : ending.records) mirror.keep(kind, record);
    if (!ending.conflict.is_null()) open_conflict(call, ending.conflict);
    return ending.answer;
  };
  co_return co_await desk.book(context, std::move(effect), nullptr);
}

Async<json> unless_refused(Desk& desk, Context& context, std::string key, Async<json> writing) {
  std::optional<ActivityError> refusal;
  try {
    co_return co_await writing;
  } catch (const ActivityError& error) {
    if (!error.non_retryable) throw;
    refusal = error;
  }
  Effect noting;
  noting.run = [key](EffectCall& call) -> json {
    call.db.run("UPDATE erp_documents SET state = 'refused' WHERE doc_key = ? AND state = 'sending'", {key});
    return nullptr;
  };
  co_await desk.book(context, std::move(noting), nullptr);
  throw *refusal;
}

Async<std::optional<Document>> find_document(Desk& desk, Context& context, std::string own_key, std::string kind,
                                             std::string ref) {
  Effect effect;
  effect.run = [own_key, kind, ref](EffectCall& call) -> json {
    if (const auto own = read_document(call.db, own_key)) return to_json(*own);
    const auto rows = call.db.run(kAbout, {call.context.namespace_name, kind, ref});
    if (rows.empty()) return nullptr;
    return choose(rows, kind, ref);
  };
  const json found = co_await desk.book(context, std::move(effect), nullptr);
  if (found.is_null()) co_return std::nullopt;
  co_return from_json(found);
}

}  // namespace skald::plugin::erp
