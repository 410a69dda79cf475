#pragma once

#include <string>
#include <string_view>

#include <lua.hpp>

namespace skald::lua {

// What comes in; what goes out may have such a value within it.
inline constexpr int kDeepestValue = 64;
inline constexpr int kDeepestWritten = 80;
inline constexpr size_t kLargestValue = 2 << 20;
// What a value may take once it is a table, by a count that depends on the value alone.
inline constexpr size_t kLargestInMemory = 32 << 20;

// Lua values as JSON text; docs/authoring.md, "Values", is the contract. The same value gives the same text. None of
// these raises a Lua error: they return false and say in `error` what is wrong, and where.

// Appends the value at `index`.
bool encode_json(lua_State* L, int index, std::string& out, std::string& error);
// Pushes the value, or nothing upon failure.
bool decode_json(lua_State* L, std::string_view text, std::string& error);

// The table at `index` is an array, also when it is empty.
void mark_array(lua_State* L, int index);
inline void push_null(lua_State* L) { lua_pushlightuserdata(L, nullptr); }
inline bool is_null(lua_State* L, int index) {
  return lua_islightuserdata(L, index) && lua_touserdata(L, index) == nullptr;
}

// How many leading bytes of `text` are well-formed UTF-8.
size_t utf8_prefix(std::string_view text);
// The text with U+FFFD in place of every byte that is not UTF-8: what the API's text fields need.
std::string to_utf8(std::string_view text);
// The text as UTF-8, cut after so many bytes.
std::string shortened(std::string_view text, size_t bytes);

}  // namespace skald::lua
