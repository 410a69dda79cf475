#include "lua/element_access.h"

#include "lua/sandbox.h"

namespace skald::lua {
namespace {

constexpr int kLongestChain = 2000;  // as in Lua itself
constexpr uint64_t kHop = 4;

// Pushes the metamethod of the table on top; nil if there is none.
int push_handler(lua_State* L, const char* event) {
  if (lua_getmetatable(L, -1) == 0) {
    lua_pushnil(L);
    return LUA_TNIL;
  }
  lua_pushstring(L, event);
  const int type = lua_rawget(L, -2);
  lua_remove(L, -2);
  return type;
}

[[noreturn]] void refuse_chain(lua_State* L, const char* event) {
  raise(L, "'%s' chain too long; possibly a loop", event);
}

}  // namespace

void get_charged(lua_State* L, int table) {
  const int key = lua_gettop(L);
  lua_pushvalue(L, table);
  for (int hop = 0; hop < kLongestChain; ++hop) {
    Sandbox::of(L).work(L, kHop);
    lua_pushvalue(L, key);
    if (lua_rawget(L, -2) != LUA_TNIL) {
      lua_replace(L, key);
      lua_settop(L, key);
      return;
    }
    lua_pop(L, 1);
    switch (push_handler(L, "__index")) {
      case LUA_TNIL:
        lua_replace(L, key);
        lua_settop(L, key);
        return;
      case LUA_TTABLE:
        lua_remove(L, -2);
        continue;
      case LUA_TFUNCTION:
        lua_insert(L, -2);
        lua_pushvalue(L, key);
        lua_call(L, 2, 1);
        break;
      default:
        lua_pushvalue(L, key);
        lua_gettable(L, -2);
        break;
    }
    lua_replace(L, key);
    lua_settop(L, key);
    return;
  }
  refuse_chain(L, "__index");
}

void get_charged(lua_State* L, int table, lua_Integer key) {
  Sandbox::of(L).work(L, 1);
  if (lua_rawgeti(L, table, key) != LUA_TNIL || lua_getmetatable(L, table) == 0) return;
  lua_pop(L, 2);
  lua_pushinteger(L, key);
  get_charged(L, table);
}

void set_charged(lua_State* L, int table, lua_Integer key) {
  Sandbox::of(L).work(L, 1);
  const int value = lua_gettop(L);
  if (lua_getmetatable(L, table) == 0) return lua_rawseti(L, table, key);
  lua_settop(L, value);
  lua_pushvalue(L, table);
  for (int hop = 0; hop < kLongestChain; ++hop) {
    Sandbox::of(L).work(L, kHop);
    const bool there = lua_rawgeti(L, -1, key) != LUA_TNIL;
    lua_pop(L, 1);
    const int type = there ? LUA_TNIL : push_handler(L, "__newindex");
    if (type == LUA_TTABLE) {
      lua_remove(L, -2);
      continue;
    }
    if (type == LUA_TFUNCTION) {
      lua_insert(L, -2);
      lua_pushinteger(L, key);
      lua_pushvalue(L, value);
      lua_call(L, 3, 0);
    } else {
      if (!there) lua_pop(L, 1);
      if (!there && type != LUA_TNIL) raise(L, "a '__newindex' that is a %s cannot be used here", lua_typename(L, type));
      lua_pushvalue(L, value);
      lua_rawseti(L, -2, key);
    }
    lua_settop(L, value - 1);
    return;
  }
  refuse_chain(L, "__newindex");
}

}  // namespace skald::lua
