// The table library. Lua's own functions trust a table's __len and iterate without end where it lies, its sort throws
// dice, and none of them can be interrupted.
#include <climits>

#include "lua/element_access.h"
#include "lua/sandbox.h"

namespace skald::lua {
namespace {

constexpr lua_Integer kMostElements = 4'000'000;

// The length of the table at 1.
lua_Integer check_length(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  if (luaL_getmetafield(L, 1, "__len") != LUA_TNIL) raise(L, "tables with a __len metamethod cannot be used here");
  return static_cast<lua_Integer>(lua_rawlen(L, 1));
}

void check_count(lua_State* L, lua_Integer from, lua_Integer to) {
  if (to >= from &&
      static_cast<lua_Unsigned>(to) - static_cast<lua_Unsigned>(from) >= static_cast<lua_Unsigned>(kMostElements)) {
    raise(L, "more than %lld elements at once", static_cast<long long>(kMostElements));
  }
}

int insert(lua_State* L) {
  const lua_Integer end = static_cast<lua_Integer>(static_cast<lua_Unsigned>(check_length(L)) + 1);
  lua_Integer position = end;
  switch (lua_gettop(L)) {
    case 2:
      break;
    case 3:
      position = luaL_checkinteger(L, 2);
      luaL_argcheck(L, static_cast<lua_Unsigned>(position) - 1u < static_cast<lua_Unsigned>(end), 2,
                    "position out of bounds");
      for (lua_Integer i = end; i > position; --i) {
        get_charged(L, 1, i - 1);
        set_charged(L, 1, i);
      }
      break;
    default:
      raise(L, "wrong number of arguments to 'insert'");
  }
  set_charged(L, 1, position);
  return 0;
}

int remove(lua_State* L) {
  const lua_Integer size = check_length(L);
  lua_Integer position = luaL_optinteger(L, 2, size);
  if (position != size)
    luaL_argcheck(L, static_cast<lua_Unsigned>(position) - 1u <= static_cast<lua_Unsigned>(size), 2,
                  "position out of bounds");
  get_charged(L, 1, position);
  for (; position < size; ++position) {
    get_charged(L, 1, position + 1);
    set_charged(L, 1, position);
  }
  lua_pushnil(L);
  set_charged(L, 1, position);
  return 1;
}

int concat(lua_State* L) {
  const lua_Integer size = check_length(L);
  size_t separator_size = 0;
  const char* separator = luaL_optlstring(L, 2, "", &separator_size);
  const lua_Integer from = luaL_optinteger(L, 3, 1);
  const lua_Integer to = luaL_optinteger(L, 4, size);
  check_count(L, from, to);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (lua_Integer i = from; i <= to; ++i) {
    get_charged(L, 1, i);
    if (lua_isstring(L, -1) == 0) {
      raise(L, "invalid value (at index %lld) in table for 'concat'", static_cast<long long>(i));
    }
    luaL_addvalue(&buffer);
    if (i == to) break;
    luaL_addlstring(&buffer, separator, separator_size);
  }
  luaL_pushresult(&buffer);
  return 1;
}

int unpack(lua_State* L) {
  const lua_Integer from = luaL_optinteger(L, 2, 1);
  const lua_Integer to = luaL_opt(L, luaL_checkinteger, 3, check_length(L));
  luaL_checktype(L, 1, LUA_TTABLE);
  if (from > to) return 0;
  const lua_Unsigned count = static_cast<lua_Unsigned>(to) - static_cast<lua_Unsigned>(from);
  if (count >= INT_MAX) raise(L, "too many results to unpack");
  Sandbox::of(L).work(L, count);
  if (lua_checkstack(L, static_cast<int>(count) + 8) == 0) raise(L, "too many results to unpack");
  for (lua_Integer i = from;; ++i) {
    get_charged(L, 1, i);
    if (i == to) return static_cast<int>(count) + 1;
  }
}

int move(lua_State* L) {
  const int into = lua_isnoneornil(L, 5) ? 1 : 5;
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, into, LUA_TTABLE);
  const lua_Integer from = luaL_checkinteger(L, 2);
  const lua_Integer end = luaL_checkinteger(L, 3);
  const lua_Integer to = luaL_checkinteger(L, 4);
  lua_settop(L, 5);
  if (end >= from) {
    check_count(L, from, end);
    luaL_argcheck(L, to <= LUA_MAXINTEGER - (end - from), 4, "destination wrap around");
    const lua_Integer count = end - from + 1;
    const bool forwards = to > end || to <= from || (into != 1 && lua_rawequal(L, 1, into) == 0);
    for (lua_Integer i = 0; i < count; ++i) {
      const lua_Integer step = forwards ? i : count - 1 - i;
      get_charged(L, 1, from + step);
      set_charged(L, into, to + step);
    }
  }
  lua_pushvalue(L, into);
  return 1;
}

int pack(lua_State* L) {
  static const lua_CFunction stock = stock_function("table", "pack");
  Sandbox::of(L).work(L, static_cast<uint64_t>(lua_gettop(L)));
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
    Sandbox::of(L).work(L, 2);
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
  const lua_Integer count = check_length(L);
  if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
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
    const int swapped = from;
    from = to;
    to = swapped;
  }
  if (from != 1) {
    Sandbox::of(L).work(L, static_cast<uint64_t>(count));
    for (lua_Integer i = 1; i <= count; ++i) {
      lua_rawgeti(L, from, i);
      lua_rawseti(L, 1, i);
    }
  }
  return 0;
}

}  // namespace

int open_table_library(lua_State* L) {
  const luaL_Reg functions[] = {{"insert", insert}, {"remove", remove}, {"concat", concat},   {"unpack", unpack},
                                {"move", move},     {"sort", sort},     {"pack", pack}, {nullptr, nullptr}};
  lua_createtable(L, 0, 7);
  luaL_setfuncs(L, functions, 0);
  return 1;
}

}  // namespace skald::lua
