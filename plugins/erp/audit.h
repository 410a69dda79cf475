#pragma once

#include "plugins/erp/desk.h"

namespace skald::plugin::erp {

// Activity: compares our books with the ERP's, record by record.
Async<json> audit(Desk& desk, Context& context, const json& input);

}  // namespace skald::plugin::erp
