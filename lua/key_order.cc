#include "lua/key_order.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "lua/hidden_keys.h"
#include "lua/sandbox.h"

namespace skald::lua {
namespace {

struct Key {
  enum class Rank { kPositive, kNumber, kText, kBoolean } rank = Rank::kPositive;
  lua_Integer integer = 0;  // for booleans: 0 or 1
  lua_Number number = 0;
  bool is_integer = false;
  std::string_view text;

  bool operator<(const Key& other) const {
    if (rank != other.rank) return rank < other.rank;
    switch (rank) {
      case Rank::kPositive:
      case Rank::kBoolean:
        return integer < other.integer;
      case Rank::kNumber:
        return number < other.number || (number == other.number && integer < other.integer);
      case Rank::kText:
        return text < other.text;
    }
    return false;
  }
  void push(lua_State* L) const {
    if (rank == Rank::kText) {
      lua_pushlstring(L, text.data(), text.size());
    } else if (rank == Rank::kBoolean) {
      lua_pushboolean(L, static_cast<int>(integer));
    } else if (is_integer) {
      lua_pushinteger(L, integer);
    } else {
      lua_pushnumber(L, number);
    }
  }
};

// False for keys that have no order. A text stays valid while it is a key of its table.
bool read_key(lua_State* L, int index, Key& key) {
  switch (lua_type(L, index)) {
    case LUA_TNUMBER:
      key.is_integer = lua_isinteger(L, index) != 0;
      key.integer = key.is_integer ? lua_tointeger(L, index) : 0;
      key.number = lua_tonumber(L, index);
      key.rank = key.is_integer && key.integer > 0 ? Key::Rank::kPositive : Key::Rank::kNumber;
      return true;
    case LUA_TSTRING: {
      size_t size = 0;
      const char* text = lua_tolstring(L, index, &size);
      key.text = {text, size};
      key.rank = Key::Rank::kText;
      return true;
    }
    case LUA_TBOOLEAN:
      key.integer = lua_toboolean(L, index);
      key.rank = Key::Rank::kBoolean;
      return true;
    default:
      return false;
  }
}

// Counts the table's keys outside of 1..sequence. Returns the name of a type that has no order, or null.
const char* count_keys(lua_State* L, int table, lua_Integer sequence, size_t& others) {
  others = 0;
  Sandbox& sandbox = Sandbox::of(L);
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
    sandbox.work(L, 1);
    if (is_hidden_key(L, -2)) continue;
    if (lua_isinteger(L, -2) != 0) {
      const lua_Integer key = lua_tointeger(L, -2);
      if (key >= 1 && key <= sequence) continue;
    }
    Key key;
    if (!read_key(L, -2, key)) {
      const char* type = luaL_typename(L, -2);
      lua_pop(L, 2);
      return type;
    }
    ++others;
  }
  return nullptr;
}

// Pushes a table with the sorted keys outside of 1..sequence.
void push_sorted_keys(lua_State* L, int table, lua_Integer sequence, size_t count) {
  Sandbox& sandbox = Sandbox::of(L);
  const Arena::HostWork host(sandbox.arena());
  std::vector<Key> keys;
  keys.reserve(count);
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
    Key key;
    if (!read_key(L, -2, key)) continue;
    if (key.rank == Key::Rank::kPositive && key.integer <= sequence) continue;
    keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
    sandbox.may_work(L, 1 + std::min(a.text.size(), b.text.size()) / 64);
    return a < b;
  });
  lua_createtable(L, static_cast<int>(keys.size()), 0);
  lua_Integer position = 0;
  for (const Key& key : keys) {
    key.push(L);
    lua_rawseti(L, -2, ++position);
  }
}

// Upvalues: the table, its sequence's length, its other keys or nil, the position.
int step(lua_State* L) {
  lua_Integer position = lua_tointeger(L, lua_upvalueindex(4));
  const lua_Integer sequence = lua_tointeger(L, lua_upvalueindex(2));
  lua_settop(L, 0);
  while (true) {
    ++position;
    if (position <= sequence) {
      lua_pushinteger(L, position);
    } else if (lua_isnil(L, lua_upvalueindex(3)) ||
               lua_rawgeti(L, lua_upvalueindex(3), position - sequence) == LUA_TNIL) {
      lua_pushnil(L);
      return 1;
    }
    lua_pushvalue(L, -1);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) break;
    lua_settop(L, 0);  // removed since
  }
  lua_pushinteger(L, position);
  lua_replace(L, lua_upvalueindex(4));
  return 2;
}

[[noreturn]] void refuse_key(lua_State* L, const char* type) {
  raise(L, "keys of type %s have no fixed order, so this table cannot be iterated; keep a list of them beside it",
        type);
}

}  // namespace

int ordered_pairs(lua_State* L) {
  luaL_checkany(L, 1);
  if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
    lua_pushvalue(L, 1);
    lua_callk(L, 1, 3, 0, [](lua_State*, int, lua_KContext) { return 3; });
    return 3;
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const auto sequence = static_cast<lua_Integer>(lua_rawlen(L, 1));
  size_t others = 0;
  if (const char* type = count_keys(L, 1, sequence, others)) refuse_key(L, type);
  Sandbox::of(L).work(L, 4 * others);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, sequence);
  if (others == 0) {
    lua_pushnil(L);
  } else {
    push_sorted_keys(L, 1, sequence, others);
  }
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, step, 4);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

int ordered_next(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  Key after;
  const bool first = lua_isnil(L, 2);
  if (!first && !read_key(L, 2, after)) refuse_key(L, luaL_typename(L, 2));
  Key best;
  bool found = false;
  const char* refused = nullptr;
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    Sandbox::of(L).work(L, 1);
    if (is_hidden_key(L, -2)) continue;
    Key key;
    if (!read_key(L, -2, key)) {
      refused = luaL_typename(L, -2);
      continue;
    }
    if (!first && !(after < key)) continue;
    if (!found || key < best) best = key;
    found = true;
  }
  if (refused != nullptr) refuse_key(L, refused);
  if (!found) {
    lua_pushnil(L);
    return 1;
  }
  best.push(L);
  lua_pushvalue(L, -1);
  lua_rawget(L, 1);
  return 2;
}

}  // namespace skald::lua
