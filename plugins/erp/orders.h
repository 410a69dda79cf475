#pragma once

#include "plugins/erp/desk.h"
#include "plugins/erp/documents.h"

namespace skald::plugin::erp {

// Activities.
Async<json> push_order(Desk& desk, Context& context, const json& input);
Async<json> push_outcome(Desk& desk, Context& context, const json& input);
json find_order(EffectCall& call);

// A list of {"sku", "quantity"}, checked; `field` names it in the input.
json checked_lines(const json& input, const std::string& field, bool required);

}  // namespace skald::plugin::erp
