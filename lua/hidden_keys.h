#pragma once

#include <lua.hpp>

namespace skald::lua {

// The key under which an error table keeps the failure it was made of, in wire form. Scripts cannot make a light
// userdata, and iteration passes over it.
inline constexpr char kFailureKey = 0;

inline bool is_hidden_key(lua_State* L, int index) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == &kFailureKey;
}

}  // namespace skald::lua
