#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <string>

#include "engine/store/visibility_query.h"

namespace skald::visibility {

// Parses a list filter: comparisons with = and != on the standard attributes and the given custom ones (name -> IndexedValueType), joined by
// AND. The empty text finds everything. INVALID_ARGUMENT tells what is wrong and where; what the grammar has besides (OR, NOT, ranges, IN,
// ORDER BY) is answered with a `not implemented` text.
absl::StatusOr<store::Filter> parse_filter(const std::string& text, const std::map<std::string, int>& custom);

// The same for count, which also takes GROUP BY ExecutionStatus at the end.
absl::StatusOr<store::VisibilityQuery> parse_count(const std::string& text, const std::map<std::string, int>& custom);

}  // namespace skald::visibility
