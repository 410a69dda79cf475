#pragma once

#include <string>

#include "plugins/erp/desk.h"

namespace skald::plugin::erp {

// Conflicts that somebody has to decide, until he has.
void create_conflict_tables(EffectStore& db);

// {"conflict", "kind", "name", "writing", "ours", "theirs"}: `writing` is all that is needed to write ours after all.
// The same one again changes nothing.
void open_conflict(EffectCall& call, const json& conflict);

// The id of the conflict that a document has run into.
std::string conflict_id(const std::string& document_key);

// Activities.
json list_conflicts(EffectCall& call);
Async<json> resolve_conflict(Desk& desk, Context& context, const json& input);

}  // namespace skald::plugin::erp
