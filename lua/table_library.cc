// The table library. Lua's own functions trust a table's __len and iterate without end where it lies, and its sort
// throws dice.
#include "lua/sandbox.h"

namespace skald::lua {
namespace {

constexpr lua_Integer kMostElements = 4'000'000;

// Checks and charges the table at 1 before one of Lua's functions goes through it.
void check_length(lua_State* L) {
  if (luaL_getmetafield(L, 1, "__len") != LUA_TNIL) raise(L, "tables with a __len metamethod cannot be used here");
  luaL_checktype(L, 1, LUA_TTABLE);
  Sandbox::of(L).charge(lua_rawlen(L, 1) / 4);
}

void check_range(lua_State* L, int first, int last) {
  const lua_Integer from = luaL_optinteger(L, first, 1);
  const lua_Integer to = luaL_optinteger(L, last, 0);
  if (to >= from &&
      static_cast<lua_Unsigned>(to) - static_cast<lua_Unsigned>(from) >= static_cast<lua_Unsigned>(kMostElements)) {
    raise(L, "more than %lld elements at once", static_cast<long long>(kMostElements));
  }
  if (to >= from) Sandbox::of(L).charge(static_cast<uint64_t>(to - from));
}

int insert(lua_State* L) {
  static const lua_CFunction stock = stock_function("table", "insert");
  check_length(L);
  return stock(L);
}

int remove(lua_State* L) {
  static const lua_CFunction stock = stock_function("table", "remove");
  check_length(L);
  return stock(L);
}

int concat(lua_State* L) {
  static const lua_CFunction stock = stock_function("table", "concat");
  check_length(L);
  check_range(L, 3, 4);
  return stock(L);
}

int unpack(lua_State* L) {
  static const lua_CFunction stock = stock_function("table", "unpack");
  if (lua_istable(L, 1)) check_length(L);
  return stock(L);
}

int move(lua_State* L) {
  static const lua_CFunction stock = stock_function("table", "move");
  check_range(L, 2, 3);
  return stock(L);
}

// Whether the value at `left` goes before the one at `right`. The comparison function, or nil, is at 2.
bool goes_before(lua_State* L, int left, int right) {
  if (lua_isnil(L, 2)) return lua_compare(L, left, right, LUA_OPLT) != 0;
  lua_pushvalue(L, 2);
  lua_pushvalue(L, left - 1);
  lua_pushvalue(L, right - 2);
  lua_call(L, 2, 1);
  const bool result = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  return result;
}

// Merges from[low..middle) and from[middle..high) into `to`; both are stack indices of tables.
void merge(lua_State* L, int from, int to, lua_Integer low, lua_Integer middle, lua_Integer high) {
  lua_Integer left = low;
  lua_Integer right = middle;
  for (lua_Integer out = low; out < high; ++out) {
    bool take_right = left >= middle;
    if (!take_right && right < high) {
      lua_rawgeti(L, from, right);
      lua_rawgeti(L, from, left);
      take_right = goes_before(L, -2, -1);
      lua_pop(L, 2);
    }
    lua_rawgeti(L, from, take_right ? right++ : left++);
    lua_rawseti(L, to, out);
  }
}

// A stable merge sort: the same order for the same input, always.
int sort(lua_State* L) {
  check_length(L);
  if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  const auto count = static_cast<lua_Integer>(lua_rawlen(L, 1));
  if (count > kMostElements) raise(L, "more than %lld elements at once", static_cast<long long>(kMostElements));
  lua_createtable(L, static_cast<int>(count), 0);
  int from = 1;
  int to = 3;
  for (lua_Integer width = 1; width < count; width *= 2) {
    for (lua_Integer low = 1; low <= count; low += 2 * width) {
      const lua_Integer middle = low + width <= count + 1 ? low + width : count + 1;
      const lua_Integer high = low + 2 * width <= count + 1 ? low + 2 * width : count + 1;
      merge(L, from, to, low, middle, high);
    }
    Sandbox::of(L).charge(static_cast<uint64_t>(count) * 2);
    const int swapped = from;
    from = to;
    to = swapped;
  }
  if (from != 1) {
    for (lua_Integer i = 1; i <= count; ++i) {
      lua_rawgeti(L, from, i);
      lua_rawseti(L, 1, i);
    }
  }
  return 0;
}

}  // namespace

int open_table_library(lua_State* L) {
  static const lua_CFunction stock_pack = stock_function("table", "pack");
  const luaL_Reg functions[] = {{"insert", insert}, {"remove", remove}, {"concat", concat},   {"unpack", unpack},
                                {"move", move},     {"sort", sort},     {"pack", stock_pack}, {nullptr, nullptr}};
  lua_createtable(L, 0, 7);
  luaL_setfuncs(L, functions, 0);
  return 1;
}

}  // namespace skald::lua
