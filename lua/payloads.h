#pragma once

#include <string>

#include "temporal/api/common/v1/message.pb.h"
#include <lua.hpp>

namespace skald::lua {

// Lua values as the API's payloads: json/plain and binary/null are written; json/protobuf (as JSON) and binary/plain
// (as a text of bytes) are read too. None of these raises a Lua error: they return false and tell why in `error`.
// `what` begins that sentence.

bool encode_payload(lua_State* L, int index, const char* what, temporal::api::common::v1::Payload& payload,
                    std::string& error);
// The values at first..top, one payload each. Trailing nils are left out.
bool encode_payloads(lua_State* L, int first, const char* what, temporal::api::common::v1::Payloads& payloads,
                     std::string& error);

// Pushes the value.
bool decode_payload(lua_State* L, const temporal::api::common::v1::Payload& payload, std::string& error);
// Pushes all of them.
bool decode_payloads(lua_State* L, const temporal::api::common::v1::Payloads& payloads, std::string& error);
// Pushes the first one, or nil.
bool decode_first(lua_State* L, const temporal::api::common::v1::Payloads& payloads, std::string& error);

}  // namespace skald::lua
