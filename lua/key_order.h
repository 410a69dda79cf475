#pragma once

#include <lua.hpp>

namespace skald::lua {

// Lua visits a table in an order that differs from process to process. These go by the keys: positive integers, other
// numbers, texts, false and true, each ascending. Tables with keys of other types are refused.
int ordered_pairs(lua_State* L);
int ordered_next(lua_State* L);

}  // namespace skald::lua
