#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <string>

#include "engine/store/visibility_query.h"

namespace skald::visibility {

// The attributes that every run has: name -> IndexedValueType.
std::map<std::string, int> standard_attributes();

// Parses a list filter over the standard attributes and the given custom ones (name -> IndexedValueType): = != < <= > >=, [NOT] IN, [NOT] BETWEEN,
// [NOT] STARTS_WITH, IS [NOT] NULL, joined by AND, OR, NOT and parentheses. Texts stand in '..' or "..", statuses are names or numbers, times
// RFC 3339 or Unix nanoseconds. The empty text finds everything. INVALID_ARGUMENT tells what is wrong and where; ORDER BY is refused.
absl::StatusOr<store::Filter> parse_filter(const std::string& text, const std::map<std::string, int>& custom);

// The same for count, which also takes GROUP BY ExecutionStatus at the end.
absl::StatusOr<store::VisibilityQuery> parse_count(const std::string& text, const std::map<std::string, int>& custom);

}  // namespace skald::visibility
