#pragma once

#include <lua.hpp>

namespace skald::lua {

// What Lua's indexing of a table does, with every step told to the sandbox: a chain of metatables is long work that no
// instruction counts.

// Pops a key, and pushes its value.
void get_charged(lua_State* L, int table);
// Pushes the value at `key`.
void get_charged(lua_State* L, int table, lua_Integer key);
// Pops a value and sets it at `key`.
void set_charged(lua_State* L, int table, lua_Integer key);

}  // namespace skald::lua
