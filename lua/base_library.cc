// What scripts find without asking: Lua's basic functions, as far as they are safe and repeatable.
#include <cstring>

#include "lua/key_order.h"
#include "lua/sandbox.h"

namespace skald::lua {
namespace {

int finish_protected(lua_State* L, int status, lua_KContext kept) {
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - static_cast<int>(kept);
  rethrow_if_doomed(L, status);
  lua_pushboolean(L, 0);
  lua_pushvalue(L, -2);
  return 2;
}

int protected_call(lua_State* L) {
  luaL_checkany(L, 1);
  lua_pushcfunction(L, &Sandbox::keep_traceback);
  lua_insert(L, 1);
  lua_pushboolean(L, 1);  // the first result when all went well
  lua_insert(L, 2);
  const int status = lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 1, 1, finish_protected);
  return finish_protected(L, status, 1);
}

int protected_call_with_handler(lua_State* L) {
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushboolean(L, 1);
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2);
  const int status = lua_pcallk(L, lua_gettop(L) - 4, LUA_MULTRET, 2, 2, finish_protected);
  return finish_protected(L, status, 2);
}

int to_text(lua_State* L) {
  luaL_checkany(L, 1);
  push_text(L, 1);
  return 1;
}

int load_text(lua_State* L) {
  static const lua_CFunction stock_load = stock_function("_G", "load");
  const int top = lua_gettop(L);
  if (lua_type(L, 1) == LUA_TSTRING) Sandbox::of(L).work(L, lua_rawlen(L, 1));
  if (top < 2) lua_settop(L, 2);
  if (top >= 3 && !lua_isnil(L, 3) && std::strcmp(luaL_checkstring(L, 3), "t") != 0 &&
      std::strcmp(lua_tostring(L, 3), "bt") != 0) {
    raise(L, "load takes source text only (mode \"t\")");
  }
  lua_pushliteral(L, "t");
  if (top >= 3) {
    lua_replace(L, 3);
  } else {
    lua_insert(L, 3);
  }
  const int results = stock_load(L);
  rethrow_if_doomed(L, LUA_OK);
  return results;
}

int set_metatable(lua_State* L) {
  static const lua_CFunction stock_set = stock_function("_G", "setmetatable");
  if (lua_istable(L, 2)) {
    for (const char* field : {"__gc", "__mode"}) {
      lua_pushstring(L, field);
      if (lua_rawget(L, 2) != LUA_TNIL)
        raise(L, "%s is not available: when garbage is collected differs from run to run", field);
      lua_pop(L, 1);
    }
  }
  return stock_set(L);
}

int to_number(lua_State* L) {
  static const lua_CFunction stock = stock_function("_G", "tonumber");
  if (lua_type(L, 1) == LUA_TSTRING) Sandbox::of(L).work(L, lua_rawlen(L, 1) / 2);
  return stock(L);
}

struct LazyLibrary {
  const char* name;
  lua_CFunction open;
};
constexpr LazyLibrary kLazyLibraries[] = {{"string", open_string_library},
                                          {"table", open_table_library},
                                          {"math", open_math_library},
                                          {"utf8", open_utf8_library}};

// A global that is not there: a library that nobody asked for yet, or a mistake.
int missing_global(lua_State* L) {
  const char* name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
  for (const LazyLibrary& library : kLazyLibraries) {
    if (std::strcmp(name, library.name) != 0) continue;
    library.open(L);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
  }
  raise(L, "undefined variable '%s'", name);
}

int new_global(lua_State* L) {
  const char* name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
  raise(L, "'%s' is not a local variable; write 'local %s'", name, name);
}

// A method of a text, before the string library was opened.
int first_text_method(lua_State* L) {
  lua_pushglobaltable(L);
  lua_getfield(L, -1, "string");
  lua_getmetatable(L, 1);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

void set_strict(lua_State* L) {
  lua_pushglobaltable(L);
  lua_createtable(L, 0, 3);
  lua_pushcfunction(L, missing_global);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, new_global);
  lua_setfield(L, -2, "__newindex");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}

void set_text_methods(lua_State* L) {
  lua_pushliteral(L, "");
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, first_text_method);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}

}  // namespace

void push_text(lua_State* L, int index) {
  index = lua_absindex(L, index);
  switch (lua_type(L, index)) {
    case LUA_TNUMBER:
    case LUA_TSTRING:
    case LUA_TBOOLEAN:
    case LUA_TNIL:
      luaL_tolstring(L, index, nullptr);
      return;
    case LUA_TLIGHTUSERDATA:
      lua_pushliteral(L, "null");
      return;
    default:
      break;
  }
  if (luaL_callmeta(L, index, "__tostring") != 0) {
    if (lua_type(L, -1) != LUA_TSTRING) raise(L, "'__tostring' must return a string");
    return;
  }
  const int kind = luaL_getmetafield(L, index, "__name");
  if (kind == LUA_TSTRING) return;
  if (kind != LUA_TNIL) lua_pop(L, 1);
  lua_pushstring(L, luaL_typename(L, index));
}

void open_base_library(lua_State* L) {
  static const struct {
    const char* name;
    lua_CFunction function;
  } functions[] = {
      {"assert", stock_function("_G", "assert")},
      {"error", stock_function("_G", "error")},
      {"ipairs", stock_function("_G", "ipairs")},
      {"rawequal", stock_function("_G", "rawequal")},
      {"rawget", stock_function("_G", "rawget")},
      {"rawlen", stock_function("_G", "rawlen")},
      {"rawset", stock_function("_G", "rawset")},
      {"select", stock_function("_G", "select")},
      {"getmetatable", stock_function("_G", "getmetatable")},
      {"tonumber", to_number},
      {"type", stock_function("_G", "type")},
      {"next", ordered_next},
      {"pairs", ordered_pairs},
      {"pcall", protected_call},
      {"xpcall", protected_call_with_handler},
      {"setmetatable", set_metatable},
      {"tostring", to_text},
      {"load", load_text},
  };
  lua_pushglobaltable(L);
  for (const auto& each : functions) {
    lua_pushcfunction(L, each.function);
    lua_setfield(L, -2, each.name);
  }
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "_G");
  lua_pushliteral(L, "Lua 5.4");
  lua_setfield(L, -2, "_VERSION");
  lua_pop(L, 1);
  set_strict(L);
  set_text_methods(L);
}

}  // namespace skald::lua
