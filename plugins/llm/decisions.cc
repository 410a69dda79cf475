#include "plugins/llm/decisions.h"

#include <cstdio>
#include <string_view>
#include <utility>

#include "plugins/llm/clock.h"
#include "plugins/llm/sha256.h"
#include "plugins/llm/structured_output.h"
#include "plugins/sdk/effect_ledger.h"
#include "plugins/sdk/fields.h"

namespace skald::plugin::llm {
namespace {

using nlohmann::json;

constexpr int64_t kMostListed = 500;
constexpr int64_t kListed = 50;

// Later decisions have greater positions; two of one millisecond are told apart by their ids.
std::string position_of(const json& record) {
  char time[24];
  std::snprintf(time, sizeof time, "%015lld", static_cast<long long>(record["created_ms"].get<int64_t>()));
  return std::string(time) + record["decision_id"].get<std::string>();
}

std::string stored(const json& record) { return record.dump(-1, ' ', false, json::error_handler_t::replace); }

void write(EffectStore& db, const json& record) {
  db.run("UPDATE decisions SET status = ?, record = ? WHERE decision_id = ?",
         {record["status"].get<std::string>(), stored(record), record["decision_id"].get<std::string>()});
}

// The caller's, to be changed.
json own_decision(EffectStore& db, const std::string& ns, const json& input) {
  const std::string id = required_text(input, "decision_id");
  const auto rows = db.run("SELECT record, namespace FROM decisions WHERE decision_id = ? FOR UPDATE", {id});
  if (rows.empty() || text(rows[0][1]) != ns)
    throw ActivityError("DecisionNotFound", "there is no decision " + id + " in namespace " + ns, true);
  return json::parse(text(rows[0][0]));
}

void need_output(const json& record) {
  if (record["status"] == kFailed) {
    throw ActivityError("DecisionNotFound",
                        "decision " + record["decision_id"].get<std::string>() + " was tried, and is not made yet",
                        true);
  }
}

// What of a record is there, under the same names.
json fields_of(const json& record, std::initializer_list<const char*> names) {
  json out = json::object();
  for (const char* name : names) {
    if (record.contains(name)) out[name] = record[name];
  }
  return out;
}

json confirmation_result(const json& record) {
  json out = record["confirmed"];
  out["decision_id"] = record["decision_id"];
  out["status"] = kConfirmed;
  return out;
}

// A person's output must have the form that the model's had.
json changed_output(const json& record, const json& input) {
  const json& output = required_field(input, "output");
  if (!output.is_object()) refuse_input("output must be an object", output);
  json whole = output;
  whole["confidence"] = 1;
  whole["explanation"] = "a person's";
  const std::string problems = AnswerForm(record["schema"]).problems(whole);
  if (!problems.empty()) refuse_input("output does not fit the decision's schema: " + problems, output);
  return output;
}

}  // namespace

std::string decision_id(const std::string& ns, const std::string& workflow_id, const std::string& agent,
                        const std::string& about, const std::string& reference) {
  return "d-" + sha256(effect_key({ns, workflow_id, agent, about, reference})).substr(0, 24);
}

void create_decision_table(EffectStore& db) {
  db.run(
      R"sql(CREATE TABLE IF NOT EXISTS decisions (
            decision_id VARCHAR(64) NOT NULL PRIMARY KEY,
            namespace VARCHAR(255) NOT NULL,
            agent VARCHAR(255) NOT NULL,
            about VARCHAR(1000) NOT NULL,
            status VARCHAR(16) NOT NULL,
            position VARCHAR(64) NOT NULL,
            record TEXT NOT NULL))sql");
  db.run("CREATE INDEX IF NOT EXISTS decisions_by_time ON decisions (namespace, position)");
  db.run("CREATE INDEX IF NOT EXISTS decisions_by_status ON decisions (namespace, status, position)");
  db.run("CREATE INDEX IF NOT EXISTS decisions_by_subject ON decisions (namespace, about, position)");
}

std::optional<json> find_decision(EffectStore& db, const std::string& id) {
  const auto rows = db.run("SELECT record FROM decisions WHERE decision_id = ? FOR UPDATE", {id});
  if (rows.empty()) return std::nullopt;
  return json::parse(text(rows[0][0]));
}

json put_decision(EffectStore& db, json record) {
  const auto before = find_decision(db, record["decision_id"]);
  if (before && (*before)["status"] != kFailed) return *before;
  if (before) {
    record["created_ms"] = (*before)["created_ms"];
    record["created_at"] = (*before)["created_at"];
    write(db, record);
    return record;
  }
  db.run(
      R"sql(INSERT INTO decisions (decision_id, namespace, agent, about, status, position, record)
          VALUES (?, ?, ?, ?, ?, ?, ?))sql",
      {record["decision_id"].get<std::string>(), record["namespace"].get<std::string>(),
       record["agent"].get<std::string>(), record["about"].get<std::string>(), record["status"].get<std::string>(),
       position_of(record), stored(record)});
  return record;
}

json decide_result(const json& record) {
  return fields_of(
      record, {"decision_id", "output", "confidence", "explanation", "source", "reason", "prompt", "version", "hash",
               "model", "tokens", "cost_micros", "latency_ms", "repaired", "redactions", "sources"});
}

json show_decision(EffectStore& db, const std::string& ns, const json& input) {
  json record = own_decision(db, ns, input);
  record.erase("created_ms");
  return record;
}

json list_decisions(EffectStore& db, const std::string& ns, const json& input) {
  const int64_t limit = has_field(input, "limit") ? whole_number(input, "limit", 1, kMostListed) : kListed;
  const std::string about = optional_text(input, "about"), agent = optional_text(input, "agent");
  const std::string status = optional_text(input, "status"), after = optional_text(input, "after", "9");
  // One statement for each index, and one for what is left.
  const auto page = [&]() -> std::vector<Row> {
    if (!about.empty()) {
      return db.run(
          R"sql(SELECT record, position
              FROM decisions
              WHERE namespace = ? AND about = ? AND position < ? AND (? = '' OR agent = ?) AND (? = '' OR status = ?)
              ORDER BY position DESC
              LIMIT ?)sql",
          {ns, about, after, agent, agent, status, status, limit + 1});
    }
    if (!status.empty()) {
      return db.run(
          R"sql(SELECT record, position
              FROM decisions
              WHERE namespace = ? AND status = ? AND position < ? AND (? = '' OR agent = ?)
              ORDER BY position DESC
              LIMIT ?)sql",
          {ns, status, after, agent, agent, limit + 1});
    }
    return db.run(
        R"sql(SELECT record, position
            FROM decisions
            WHERE namespace = ? AND position < ? AND (? = '' OR agent = ?)
            ORDER BY position DESC
            LIMIT ?)sql",
        {ns, after, agent, agent, limit + 1});
  };
  const std::vector<Row> rows = page();
  json out = {{"decisions", json::array()}, {"next", nullptr}};
  for (const Row& row : rows) {
    if (out["decisions"].size() == static_cast<size_t>(limit)) break;
    out["decisions"].push_back(fields_of(
        json::parse(text(row[0])), {"decision_id", "status", "agent", "about", "workflow_id", "output", "confidence",
                                    "explanation", "source", "reason", "created_at", "confirmed"}));
    if (rows.size() > static_cast<size_t>(limit)) out["next"] = text(row[1]);
  }
  return out;
}

json await_person(EffectStore& db, const std::string& ns, const json& input) {
  json record = own_decision(db, ns, input);
  need_output(record);
  if (record["status"] == kDecided) {
    record["status"] = kOpen;
    record["asked_at"] = iso_time(now_ms());
    write(db, record);
  }
  return fields_of(record, {"decision_id", "status"});
}

json confirm_decision(EffectStore& db, const std::string& ns, const json& input) {
  json record = own_decision(db, ns, input);
  need_output(record);
  const std::string verdict = required_text(input, "verdict"), by = required_text(input, "by");
  if (verdict != "approved" && verdict != "rejected" && verdict != "changed")
    refuse_input("verdict must be approved, rejected or changed", verdict);
  if (record["status"] == kConfirmed) {
    if (record["confirmed"]["verdict"] == verdict && record["confirmed"]["by"] == by)
      return confirmation_result(record);
    throw ActivityError("AlreadyConfirmed",
                        record["confirmed"]["by"].get<std::string>() + " has said " +
                            record["confirmed"]["verdict"].get<std::string>() + " already",
                        true, record["confirmed"]);
  }
  record["confirmed"] = {{"verdict", verdict},
                         {"by", by},
                         {"reason", optional_text(input, "reason")},
                         {"at", iso_time(now_ms())},
                         {"output", verdict == "changed" ? changed_output(record, input) : record["output"]}};
  record["status"] = kConfirmed;
  write(db, record);
  return confirmation_result(record);
}

}  // namespace skald::plugin::llm
