#pragma once

#include <functional>

#include "plugins/sdk/async.h"
#include "plugins/sdk/context.h"
#include "plugins/sdk/effect_store.h"

namespace skald::plugin::llm {

// The plugin's tables, as its coroutines see them: one closure is one part of a transaction, and is committed when the
// wait for it ends. It may be called several times before one counts.
class Books {
 public:
  virtual ~Books() = default;
  virtual Async<json> apply(Context& context, std::function<json(EffectStore&)> run) = 0;
};

}  // namespace skald::plugin::llm
