// Lua's math and utf8 libraries; random numbers come from the run's own stream.
#include <cmath>

#include "lua/sandbox.h"

namespace skald::lua {
namespace {

int random(lua_State* L) {
  RandomStream& stream = Sandbox::of(L).random();
  const int arguments = lua_gettop(L);
  if (arguments == 0) {
    lua_pushnumber(L, stream.unit());
    return 1;
  }
  const lua_Integer low = arguments >= 2 ? luaL_checkinteger(L, 1) : 1;
  const lua_Integer high = luaL_checkinteger(L, arguments >= 2 ? 2 : 1);
  if (arguments == 1 && high == 0) {
    lua_pushinteger(L, static_cast<lua_Integer>(stream.next()));
    return 1;
  }
  luaL_argcheck(L, low <= high, arguments >= 2 ? 2 : 1, "interval is empty");
  lua_pushinteger(L, stream.between(low, high));
  return 1;
}

int random_seed(lua_State* L) {
  Sandbox::of(L).random() = RandomStream(static_cast<uint64_t>(luaL_optinteger(L, 1, 0)));
  return 0;
}

void add_stock(lua_State* L, const std::vector<luaL_Reg>& functions) {
  for (const luaL_Reg& each : functions) {
    lua_pushcfunction(L, each.func);
    lua_setfield(L, -2, each.name);
  }
}

}  // namespace

int open_math_library(lua_State* L) {
  static const std::vector<luaL_Reg> stock =
      stock_functions("math", {"abs", "ceil", "floor", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "exp",
                               "log", "fmod", "modf", "max", "min", "tointeger", "type", "ult"});
  lua_createtable(L, 0, 27);
  add_stock(L, stock);
  lua_pushcfunction(L, random);
  lua_setfield(L, -2, "random");
  lua_pushcfunction(L, random_seed);
  lua_setfield(L, -2, "randomseed");
  lua_pushnumber(L, 3.141592653589793238462643383279502884);
  lua_setfield(L, -2, "pi");
  lua_pushnumber(L, HUGE_VAL);
  lua_setfield(L, -2, "huge");
  lua_pushinteger(L, LUA_MAXINTEGER);
  lua_setfield(L, -2, "maxinteger");
  lua_pushinteger(L, LUA_MININTEGER);
  lua_setfield(L, -2, "mininteger");
  return 1;
}

int open_utf8_library(lua_State* L) {
  static const std::vector<luaL_Reg> stock = stock_functions("utf8", {"char", "codepoint", "codes", "len", "offset"});
  lua_createtable(L, 0, 6);
  add_stock(L, stock);
  lua_pushlstring(L, "[\0-\x7F\xC2-\xFD][\x80-\xBF]*", 14);
  lua_setfield(L, -2, "charpattern");
  return 1;
}

}  // namespace skald::lua
