#pragma once

#include "plugins/erp/desk.h"

namespace skald::plugin::erp {

// Activities.
Async<json> pull(Desk& desk, Context& context, const json& input);
Async<json> push_stock(Desk& desk, Context& context, const json& input);
Async<json> push_item(Desk& desk, Context& context, const json& input);
json find_item(EffectCall& call);

}  // namespace skald::plugin::erp
