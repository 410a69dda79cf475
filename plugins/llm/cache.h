#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "plugins/sdk/effect_store.h"

// Answers that are given again for a time. What is kept is redacted. Functions of one transaction.
namespace skald::plugin::llm {

void create_cache_table(EffectStore& db);
std::optional<nlohmann::json> find_cached(EffectStore& db, const std::string& key, int64_t now_ms);
// Also forgets what has expired.
void keep_cached(EffectStore& db, const std::string& key, const nlohmann::json& answer, int64_t now_ms,
                 int64_t seconds);

}  // namespace skald::plugin::llm
