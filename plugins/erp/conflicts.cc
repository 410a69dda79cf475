#include "plugins/erp/conflicts.h"

#include <optional>
#include <utility>

#include "plugins/erp/clock.h"
#include "plugins/erp/mirror.h"
#include "plugins/erp/write_record.h"
#include "plugins/sdk/fields.h"

namespace skald::plugin::erp {
namespace {

constexpr int64_t kListed = 100;
constexpr int64_t kMostListed = 1000;

json conflict_in(const Row& row) {
  json conflict = {{"conflict", text(row[0])},
                   {"kind", text(row[1])},
                   {"name", text(row[2])},
                   {"state", text(row[3])},
                   {"ours", json::parse(text(row[4]))},
                   {"theirs", json::parse(text(row[5]))},
                   {"opened_at_ms", number(row[6])}};
  if (!text(row[7]).empty()) conflict["resolution"] = json::parse(text(row[7]));
  return conflict;
}

const std::string kFields = "conflict_id, kind, name, state, ours, theirs, opened_ms, resolution";
const std::string kConflictsAfter =
    "SELECT " + kFields +
    " FROM erp_conflicts WHERE namespace = ? AND state = ? AND conflict_id > ? ORDER BY conflict_id LIMIT ?";
const std::string kOne =
    "SELECT " + kFields + ", writing FROM erp_conflicts WHERE namespace = ? AND conflict_id = ? FOR UPDATE";

void check_same_choice(const json& conflict, const std::string& choice) {
  if (!conflict.contains("resolution") || conflict["resolution"]["choose"] == choice) return;
  const char* was = conflict["state"] == "resolved" ? " was resolved: " : " is being resolved: ";
  throw ActivityError("AlreadyResolved",
                      "the conflict " + conflict["conflict"].get<std::string>() + was + conflict["resolution"].dump(),
                      true, conflict);
}

// The conflict with what is needed to write ours; ConflictNotFound, AlreadyResolved. The first that asks has decided,
// before anything is written: whoever decides otherwise meanwhile hears of it, and writes nothing.
Effect claiming(const std::string& id, const json& resolution) {
  return {.run = [id, resolution](EffectCall& call) -> json {
    const auto rows = call.db.run(kOne, {call.context.namespace_name, id});
    if (rows.empty()) throw ActivityError("ConflictNotFound", "there is no conflict " + id, true);
    json conflict = conflict_in(rows[0]);
    check_same_choice(conflict, resolution["choose"]);
    if (!conflict.contains("resolution")) {
      call.db.run(
          "UPDATE erp_conflicts SET resolution = ? WHERE namespace = ? AND conflict_id = ? AND state = 'open' AND "
          "resolution = ''",
          {resolution.dump(), call.context.namespace_name, id});
      if (call.db.changed() == 0)
        throw ActivityError("ConflictClaimed", "somebody else is about to resolve the conflict " + id);
    }
    conflict["writing"] = json::parse(text(rows[0][8]));
    return conflict;
  }};
}

// The ERP refuses it for good: it is open again, for another choice.
Effect releasing(const std::string& id) {
  return {.run = [id](EffectCall& call) -> json {
    call.db.run("UPDATE erp_conflicts SET resolution = '' WHERE namespace = ? AND conflict_id = ? AND state = 'open'",
                {call.context.namespace_name, id});
    return nullptr;
  }};
}

Effect ending(const std::string& id, const json& resolution, const std::string& kind, const json& record) {
  return {.run = [=](EffectCall& call) -> json {
    const auto& ns = call.context.namespace_name;
    const json conflict = conflict_in(call.db.run(kOne, {ns, id}).at(0));
    check_same_choice(conflict, resolution["choose"]);
    if (!record.is_null()) Mirror(call.db, ns).keep(kind, record);
    if (conflict["state"] == "resolved") return conflict;
    const json& said = conflict.contains("resolution") ? conflict["resolution"] : resolution;
    call.db.run(
        "UPDATE erp_conflicts SET state = 'resolved', resolution = ? WHERE namespace = ? AND conflict_id = ? AND state "
        "= 'open'",
        {said.dump(), ns, id});
    return conflict_in(call.db.run(kOne, {ns, id}).at(0));
  }};
}

// The record as it is then; null: the ERP has none.
Async<json> carry_out(Desk& desk, Context& context, Writing writing, std::string choice, std::string id) {
  if (choice == "erp") co_return co_await read_record(desk, context, writing.read_path);
  const std::string key = effect_key({context.namespace_name, "erp_conflict", id});
  const Written written = co_await write_record(desk, context, std::move(writing), Rule::kOursWins, key);
  co_return written.record;
}

}  // namespace

void create_conflict_tables(EffectStore& db) {
  db.run(
      "CREATE TABLE IF NOT EXISTS erp_conflicts (namespace VARCHAR(255) NOT NULL, conflict_id VARCHAR(64) NOT NULL, "
      "kind VARCHAR(16) NOT NULL, name VARCHAR(1000) NOT NULL, state VARCHAR(16) NOT NULL, ours TEXT NOT NULL, theirs "
      "TEXT NOT NULL, opened_ms BIGINT NOT NULL, resolution TEXT NOT NULL, writing TEXT NOT NULL, PRIMARY KEY "
      "(namespace, conflict_id))");
  db.run("CREATE INDEX IF NOT EXISTS erp_conflicts_by_state ON erp_conflicts (namespace, state, conflict_id)");
}

// FNV-1a: short enough to be typed, and the same on every attempt.
std::string conflict_id(const std::string& document_key) {
  uint64_t hash = 14695981039346656037U;
  for (const unsigned char c : document_key) hash = (hash ^ c) * 1099511628211U;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string id = "c-";
  for (int shift = 60; shift >= 0; shift -= 4) id += kDigits[(hash >> shift) & 15];
  return id;
}

void open_conflict(EffectCall& call, const json& conflict) {
  const std::string id = conflict["conflict"];
  if (!call.db.run(kOne, {call.context.namespace_name, id}).empty()) return;
  call.db.run(
      "INSERT INTO erp_conflicts (namespace, conflict_id, kind, name, state, ours, theirs, opened_ms, resolution, "
      "writing) VALUES (?, ?, ?, ?, 'open', ?, ?, ?, '', ?)",
      {call.context.namespace_name, id, conflict["kind"].get<std::string>(), conflict["name"].get<std::string>(),
       conflict["ours"].dump(), conflict["theirs"].dump(), now_ms(), conflict["writing"].dump()});
}

json list_conflicts(EffectCall& call) {
  const std::string state = optional_text(call.input, "state", "open");
  if (state != "open" && state != "resolved") refuse_input("state must be open or resolved");
  const int64_t limit = has_field(call.input, "limit") ? whole_number(call.input, "limit", 1, kMostListed) : kListed;
  json list = json::array();
  for (const Row& row :
       call.db.run(kConflictsAfter, {call.context.namespace_name, state, optional_text(call.input, "after"), limit})) {
    list.push_back(conflict_in(row));
  }
  json next = static_cast<int64_t>(list.size()) == limit ? list.back()["conflict"] : json();
  return {{"conflicts", std::move(list)}, {"next", std::move(next)}};
}

Async<json> resolve_conflict(Desk& desk, Context& context, const json& input) {
  const std::string id = required_text(input, "conflict");
  const std::string choice = required_text(input, "choose");
  if (choice != "ours" && choice != "erp") refuse_input("choose must be ours or erp");
  const json resolution = {
      {"choose", choice}, {"by", required_text(input, "by")}, {"reason", optional_text(input, "reason")}};
  json conflict = co_await desk.book(context, claiming(id, resolution), nullptr);
  if (conflict["state"] == "resolved") {
    conflict.erase("writing");
    co_return conflict;
  }
  Writing writing = Writing::from_json(conflict["writing"]);
  const std::string kind = writing.kind;
  json record;
  std::optional<ActivityError> refusal;
  try {
    record = co_await carry_out(desk, context, std::move(writing), choice, id);
  } catch (const ActivityError& error) {
    if (!error.non_retryable) throw;
    refusal = error;
  }
  if (refusal) {
    co_await desk.book(context, releasing(id), nullptr);
    throw *refusal;
  }
  co_return co_await desk.book(context, ending(id, resolution, kind, record), nullptr);
}

}  // namespace skald::plugin::erp
