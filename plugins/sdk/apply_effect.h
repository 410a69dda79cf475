#pragma once

#include <string>

#include "plugins/sdk/effect_book.h"

namespace skald::plugin {

// Applies one effect that has a key, within a batch of the ledger: its outcome, or what was recorded. Throws what its
// closures throw; what the store has marked by then stands.
std::string apply_effect(LedgerStore& store, EffectBook& book, const EffectRequest& request);

// A read: it has no key and is not recorded.
std::string read_effect(EffectStore& store, EffectBook& book, const EffectRequest& request);

// The keys that it is going to look for, as far as they can be told before.
std::vector<std::string> keys_of(const EffectRequest& request, bool with_former);

}  // namespace skald::plugin
