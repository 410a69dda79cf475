#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "plugins/sdk/effect_store.h"

// The book of decisions: one record each, as JSON, with what is looked for in columns. Functions of one transaction;
// what is wrong is an ActivityError.
namespace skald::plugin::llm {

inline constexpr const char* kDecided = "decided";      // there is an output
inline constexpr const char* kOpen = "open";            // and a person was asked about it
inline constexpr const char* kConfirmed = "confirmed";  // and has answered
inline constexpr const char* kFailed = "failed";        // there is none yet: the last attempt ended with an error

// From what makes it this decision and no other.
std::string decision_id(const std::string& namespace_name, const std::string& workflow_id, const std::string& agent,
                        const std::string& about, const std::string& reference);

void create_decision_table(EffectStore& db);

// The record, or nothing. Its "status" is one of the above.
std::optional<nlohmann::json> find_decision(EffectStore& db, const std::string& id);
// Writes a record under its "decision_id", in place of one that failed. If it has been decided in the meantime, that
// stays, and is returned.
nlohmann::json put_decision(EffectStore& db, nlohmann::json record);

// What llm.decide returns of a record.
nlohmann::json decide_result(const nlohmann::json& record);

nlohmann::json show_decision(EffectStore& db, const std::string& namespace_name, const nlohmann::json& input);
nlohmann::json list_decisions(EffectStore& db, const std::string& namespace_name, const nlohmann::json& input);
nlohmann::json await_person(EffectStore& db, const std::string& namespace_name, const nlohmann::json& input);
nlohmann::json confirm_decision(EffectStore& db, const std::string& namespace_name, const nlohmann::json& input);

}  // namespace skald::plugin::llm
