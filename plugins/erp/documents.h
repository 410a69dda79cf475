#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plugins/erp/desk.h"

namespace skald::plugin::erp {

// What we ask the ERP to write, recorded before it is asked: so a lost answer is known to be one. A document is known
// by the key of its effect, which is also the ERP's idempotency key.
struct Document {
  std::string key, kind, ref;  // "order", "outcome", "work_order" …; what it is about, e.g. the order's id
  std::string state;           // "sending", "written", "refused"; a work order's also "cancelling", "cancelled"
  std::string erp_id;
  int64_t version = 0;
  int64_t sends = 0;     // how often it has been begun: more than once, and the ERP may know of it already
  int64_t begun_ms = 0;  // since 1970
  json body, answer;

  bool written() const { return state == "written"; }
};

void create_document_tables(EffectStore& db);

struct NewDocument {
  std::string step, reference;  // of the effect
  std::string kind, ref;
  json body;
};
// The document, made if it is not there. IdempotencyConflict if it is there with another body, AlreadyCompensated if it
// was cancelled, before or after: both for good.
Async<Document> begin_document(Desk& desk, Context& context, NewDocument wanted);

// How it ended, in one transaction.
struct Ending {
  std::string erp_id;
  int64_t version = 0;
  json answer;                                        // of the activity
  std::vector<std::pair<std::string, json>> records;  // for the mirror: kind and record
  json conflict = nullptr;                            // one that is to be decided by somebody (conflicts.h)
};
// The activity's answer: the one of whoever ended it first. AlreadyCompensated if it was cancelled meanwhile.
Async<json> end_document(Desk& desk, Context& context, std::string key, Ending ending);

// Awaits the writing of a document; if it fails for good the document is known to be refused. A later attempt, of a
// workflow that was reset, may send it again.
Async<json> unless_refused(Desk& desk, Context& context, std::string key, Async<json> writing);

// The workflow's own document, else the one that any workflow has written about it; Ambiguous if there are several.
Async<std::optional<Document>> find_document(Desk& desk, Context& context, std::string own_key, std::string kind,
                                             std::string ref);
std::optional<Document> read_document(EffectStore& db, const std::string& key);
void set_document_state(EffectStore& db, const std::string& key, const std::string& state);

}  // namespace skald::plugin::erp
