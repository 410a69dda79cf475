#pragma once

#include <string>

#include "plugins/erp/desk.h"

namespace skald::plugin::erp {

// A change of one record of the ERP that somebody there may have changed too.
struct Writing {
  std::string kind, name;  // of the record, as the mirror knows it
  std::string read_path;   // GET
  std::string path;        // PUT, with a version
  json request;            // its body
  json wanted;             // the record's fields that it sets: {"quantity": 5}
  json base;  // what they were when it was decided; a field that is not there is not known. Null: whatever they are
  int64_t version = 0;                     // that is known; 0: the ERP is asked
  std::string create_method, create_path;  // if there is no such record; empty: that is a refusal
  json creation;                           // its body
  int64_t decided_ms = 0;                  // since 1970

  json to_json() const;
  static Writing from_json(const json& text);
};

struct Written {
  std::string winner;  // "ours", "erp", "both" (they say the same) or "open" (somebody has to decide)
  json record;         // as the ERP has it now

  int64_t version() const { return record.value("version", int64_t{0}); }
  std::string id() const { return record.value("id", ""); }
};

// Writes with the version that is known. If the ERP has another one: reads it, and if the same fields have been changed
// there the rule decides; else it is written again, on top of theirs. After some rounds ErpConflictStorm, to be tried
// again.
Async<Written> write_record(Desk& desk, Context& context, Writing writing, Rule rule, std::string key);

// The conflict that a document's writing has run into, for open_conflict().
json conflict_of(const std::string& document_key, const Writing& writing, const json& record);

// The record, or null if the ERP has none.
Async<json> read_record(Desk& desk, Context& context, std::string path);

}  // namespace skald::plugin::erp
