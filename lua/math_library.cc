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

// Functions that go through the bytes from one position to another.
template <const char* name>
int text_range(lua_State* L) {
  static const lua_CFunction stock = stock_function("utf8", name);
  size_t size = 0;
  luaL_checklstring(L, 1, &size);
  // Without an end, len goes to the text's and codepoint to the first one only.
  const bool one = name[0] == 'c' && lua_gettop(L) < 3;
  const bool rest = !one && lua_isnoneornil(L, 3);
  Sandbox::of(L).work(L, one ? 1 : (rest ? size : bytes_in_range(L, size, 2)) / 4);
  return stock(L);
}
constexpr char kLen[] = "len";
constexpr char kCodePoint[] = "codepoint";

int characters(lua_State* L) {
  static const lua_CFunction stock = stock_function("utf8", "char");
  Sandbox::of(L).work(L, static_cast<uint64_t>(lua_gettop(L)) * 4);
  return stock(L);
}

// Told of afterwards: how far it goes is known by then.
int offset(lua_State* L) {
  static const lua_CFunction stock = stock_function("utf8", "offset");
  size_t size = 0;
  luaL_checklstring(L, 1, &size);
  const lua_Integer count = luaL_checkinteger(L, 2);
  const auto length = static_cast<lua_Integer>(size);
  lua_Integer from = luaL_optinteger(L, 3, count > 0 ? 1 : length + 1);
  if (from < 0) from += length + 1;
  const int results = stock(L);
  const lua_Integer to = lua_isnil(L, -1) ? (count > 0 ? length : 0) : lua_tointeger(L, -1);
  Sandbox::of(L).work(L, static_cast<uint64_t>(to > from ? to - from : from - to) / 4);
  return results;
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Lua's step passes over all that belongs to the character before: in a text that is none it may be much.
int next_code(lua_State* L) {
  size_t size = 0;
  const char* text = luaL_checklstring(L, 1, &size);
  const auto from = static_cast<lua_Unsigned>(luaL_checkinteger(L, 2));
  size_t at = from < size ? from : size;
  while (at < size && continues(text[at])) ++at;
  Sandbox::of(L).work(L, from < size ? (at - from) / 4 : 0);
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

int codes(lua_State* L) {
  static const lua_CFunction stock = stock_function("utf8", "codes");
  const int results = stock(L);
  lua_pushvalue(L, -results);
  lua_pushcclosure(L, next_code, 1);
  lua_replace(L, -results - 1);
  return results;
}

// math.max and min take as many numbers as a stack holds.
template <const char* name>
int of_all(lua_State* L) {
  static const lua_CFunction stock = stock_function("math", name);
  Sandbox::of(L).work(L, static_cast<uint64_t>(lua_gettop(L)));
  return stock(L);
}
constexpr char kMax[] = "max";
constexpr char kMin[] = "min";

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
                               "log", "fmod", "modf", "tointeger", "type", "ult"});
  lua_createtable(L, 0, 27);
  add_stock(L, stock);
  lua_pushcfunction(L, of_all<kMax>);
  lua_setfield(L, -2, "max");
  lua_pushcfunction(L, of_all<kMin>);
  lua_setfield(L, -2, "min");
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
  const luaL_Reg functions[] = {{"char", characters}, {"codepoint", text_range<kCodePoint>}, {"codes", codes},
                                {"len", text_range<kLen>}, {"offset", offset}};
  lua_createtable(L, 0, 6);
  add_stock(L, {std::begin(functions), std::end(functions)});
  lua_pushlstring(L, "[\0-\x7F\xC2-\xFD][\x80-\xBF]*", 14);
  lua_setfield(L, -2, "charpattern");
  return 1;
}

}  // namespace skald::lua
