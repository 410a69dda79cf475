#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "plugins/sdk/effect_store.h"

// Decisions under way: what was said until a model asked for tools, so that it goes on after a crash, too. Functions of
// one transaction.
namespace skald::plugin::llm {

// The name of what a decision's round of tools has led to: "<decision>.<round>".
std::string conversation_name(const std::string& decision_id, int64_t round);
// The round in a name, from 1; 0 if it is none of this decision's.
int64_t round_of(const std::string& conversation, const std::string& decision_id);

void create_conversation_table(EffectStore& db);
// What was kept under a name.
std::optional<nlohmann::json> find_conversation(EffectStore& db, const std::string& decision_id, int64_t round);
// Keeps it; if there is something under its name already, that stays, and is returned.
nlohmann::json keep_conversation(EffectStore& db, const std::string& decision_id, int64_t round, nlohmann::json state);
// When the decision is made nothing is kept of it but its record: personal data is in it.
void end_conversations(EffectStore& db, const std::string& decision_id);

}  // namespace skald::plugin::llm
