#pragma once

#include "engine/store/rows.h"
#include "engine/store/visibility_query.h"

namespace skald::store {

// Whether a run satisfies a list filter. A value that is not set satisfies no comparison but kIsNull.
bool matches(const Filter& filter, const VisibilityRow& row);

}  // namespace skald::store
