#pragma once

#include "plugins/sdk/plugin.h"

namespace skald::plugin::payment {

// What the books say of all payments of a namespace, by currency, and whether that agrees with the journal and with the
// provider's books.
json audit(EffectCall& call);

}  // namespace skald::plugin::payment
