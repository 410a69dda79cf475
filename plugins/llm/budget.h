#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "plugins/llm/settings.h"
#include "plugins/sdk/effect_store.h"

// What a namespace has used in a day, and what calls under way have reserved of the rest. Functions of one transaction:
// a row of the day is locked, so that no two calls, of several processes too, reserve the same.
namespace skald::plugin::llm {

struct Use {
  int64_t tokens = 0, cost_micros = 0;
};

// Whose and which.
struct Account {
  std::string namespace_name, day;
};

void create_budget_tables(EffectStore& db);

// Reserves under `key`, instead of what it may have reserved before; until `expires_ms` unless it is settled. Returns a
// sentence if the budget does not allow it, and an empty one if it does.
std::string reserve(EffectStore& db, const Account& account, const std::string& key, const Use& use,
                    const Budget& budget, int64_t now, int64_t expires_ms);

// Adds what was used, and gives back what `key` has reserved.
void settle(EffectStore& db, const Account& account, const std::string& key, const Use& use);

// {"namespace", "day", "tokens", "cost_micros", "reserved", "budget"}
nlohmann::json usage(EffectStore& db, const Account& account, const Budget& budget, int64_t now);

}  // namespace skald::plugin::llm
