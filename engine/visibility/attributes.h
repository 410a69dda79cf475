#pragma once

#include <map>
#include <string>

#include "engine/store/rows.h"
#include "temporal/api/common/v1/message.pb.h"

namespace skald::visibility {

// Whether the value is one of this type (IndexedValueType): a JSON value of it, a list of such, or nothing.
bool is_of_type(const temporal::api::common::v1::Payload& value, int type);

// The custom search attributes of a run, by their defined types (name -> IndexedValueType). Values that do not have their attribute's type
// are left out: they were refused when they were set.
std::map<std::string, store::AttributeValue> decode_attributes(const temporal::api::common::v1::SearchAttributes& attributes,
                                                               const std::map<std::string, int>& types);

}  // namespace skald::visibility
