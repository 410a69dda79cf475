#include "plugins/erp/write_record.h"

#include <utility>

#include "plugins/erp/conflicts.h"
#include "plugins/erp/erp_call.h"

namespace skald::plugin::erp {
namespace {

constexpr int kRounds = 5;
constexpr int64_t kStormDelayMs = 1000;

bool agree(const json& wanted, const json& record) {
  for (const auto& [field, value] : wanted.items()) {
    if (!record.contains(field) || record[field] != value) return false;
  }
  return true;
}

// Whether somebody in the ERP changed what we are about to change, to something else.
bool in_conflict(const Writing& writing, const json& record) {
  if (writing.base.is_null()) return false;
  for (const auto& [field, value] : writing.wanted.items()) {
    const json theirs = record.value(field, json());
    if (theirs == value) continue;
    if (!writing.base.contains(field) || writing.base[field] != theirs) return true;
  }
  return false;
}

// "ours", "erp", "both" or "open"; empty: there is no conflict, and ours is to be written.
std::string verdict(const Writing& writing, const json& record, Rule rule) {
  if (agree(writing.wanted, record)) return "both";
  if (!in_conflict(writing, record)) return "";
  switch (rule) {
    case Rule::kErpWins:
      return "erp";
    case Rule::kAsk:
      return "open";
    case Rule::kOursWins:
      return "ours";
    case Rule::kNewestWins:
      break;
  }
  return writing.decided_ms >= record.value("updated_at_ms", int64_t{0}) ? "ours" : "erp";
}

}  // namespace

json Writing::to_json() const {
  return {{"kind", kind},       {"name", name},     {"read_path", read_path}, {"path", path},
          {"request", request}, {"wanted", wanted}, {"base", base},           {"decided_ms", decided_ms}};
}

Writing Writing::from_json(const json& text) {
  Writing writing;
  writing.kind = text["kind"];
  writing.name = text["name"];
  writing.read_path = text["read_path"];
  writing.path = text["path"];
  writing.request = text["request"];
  writing.wanted = text["wanted"];
  writing.base = text["base"];
  writing.decided_ms = text["decided_ms"];
  return writing;
}

json conflict_of(const std::string& document_key, const Writing& writing, const json& record) {
  return {{"conflict", conflict_id(document_key)},
          {"kind", writing.kind},
          {"name", writing.name},
          {"ours", writing.wanted},
          {"theirs", record},
          {"writing", writing.to_json()}};
}

Async<json> read_record(Desk& desk, Context& context, std::string path) {
  ErpCall call;
  call.method = "GET";
  call.path = std::move(path);
  const ErpReply reply = co_await call_erp(desk, context, std::move(call));
  if (reply.not_found()) co_return nullptr;
  if (!reply.ok()) refuse(reply);
  co_return reply.record();
}

// With what is known: PUT on a version, or the creation.
static ErpCall call_for(const Writing& writing, int64_t version, const std::string& key) {
  ErpCall call;
  call.key = key;
  call.version = version;
  call.method = version == 0 ? writing.create_method : "PUT";
  call.path = version == 0 ? writing.create_path : writing.path;
  call.body = version == 0 ? writing.creation : writing.request;
  return call;
}

Async<Written> write_record(Desk& desk, Context& context, Writing writing, Rule rule, std::string key) {
  int64_t version = writing.version;
  bool must_read = version == 0;
  for (int round = 0; round < kRounds; ++round) {
    if (must_read) {
      json record = co_await read_record(desk, context, writing.read_path);
      if (record.is_null() && writing.create_path.empty())
        throw ActivityError("ErpNotFound", "the ERP has no " + writing.kind + " " + writing.name, true);
      if (!record.is_null()) {
        std::string winner = verdict(writing, record, rule);
        if (!winner.empty() && winner != "ours") co_return Written{std::move(winner), std::move(record)};
      }
      version = record.is_null() ? 0 : record.value("version", int64_t{0});
    }
    ErpCall call = call_for(writing, version, key);
    ErpReply reply = co_await call_erp(desk, context, std::move(call));
    if (reply.ok()) co_return Written{"ours", reply.record()};
    // Read again what is there now. A record that was not there a moment ago, or is not any more, is one of these too.
    const bool again = reply.is_version_conflict() || reply.not_found() || reply.code() == "duplicate_reference";
    if (!again) refuse(reply);
    must_read = true;
  }
  throw ActivityError("ErpConflictStorm",
                      "the ERP's " + writing.kind + " " + writing.name + " changes faster than it can be written",
                      false, nullptr, kStormDelayMs);
}

}  // namespace skald::plugin::erp
