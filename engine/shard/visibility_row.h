#pragma once

#include <map>
#include <string>

#include "engine/store/rows.h"
#include "skald/state/v1/state.pb.h"

namespace skald::shard {

// What list and count see of a run in this state: the row that is written when status, type, queue, memo, search
// attributes or close change. `attributes` are the state's search attributes, decoded.
store::VisibilityRow visibility_row(const skald::state::v1::RunState& state,
                                    std::map<std::string, store::AttributeValue> attributes);

}  // namespace skald::shard
