#pragma once

#include <string>

#include "temporal/api/failure/v1/message.pb.h"
#include <lua.hpp>

namespace skald::lua {

// Error tables: what scripts see of a failure; docs/authoring.md, "Errors", is the contract. An error table keeps the
// failure it was made of, so that what a script throws again leaves the workflow as it came.

// Pushes the error table of a failure.
void push_failure(lua_State* L, const temporal::api::failure::v1::Failure& failure);
bool is_failure(lua_State* L, int index);
// The failure an error table was made of. False if the value is no error table.
bool read_failure(lua_State* L, int index, temporal::api::failure::v1::Failure& failure);
// Whether the failure, what it wraps aside, is a cancellation.
bool is_cancellation(const temporal::api::failure::v1::Failure& failure);

temporal::api::failure::v1::Failure cancelled_failure(const std::string& reason);
// A failure of the script itself, as a workflow task's failure.
temporal::api::failure::v1::Failure script_failure(const std::string& message, const std::string& stack_trace);

}  // namespace skald::lua
