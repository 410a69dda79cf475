// The string library: Lua's own where it is harmless, with bounds where it is not.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "lua/element_access.h"
#include "lua/pattern.h"
#include "lua/sandbox.h"

namespace skald::lua {
namespace {

constexpr size_t kLongestText = 8 << 20;
constexpr size_t kLongestPattern = 1000;
// Work of one call: so many steps, and a few for each byte of the subject.
constexpr uint64_t kSteps = 1'000'000;
constexpr uint64_t kStepsPerByte = 16;
constexpr uint64_t kStepsPerInstruction = 4;

std::string_view check_text(lua_State* L, int index) {
  size_t size = 0;
  const char* text = luaL_checklstring(L, index, &size);
  return {text, size};
}

// Leaves the compiled nodes on the stack, so that they live as long as the call.
Pattern check_pattern(lua_State* L, int index, bool anchor) {
  const std::string_view source = check_text(L, index);
  if (source.size() > kLongestPattern)
    raise(L, "pattern too long (%zu bytes; at most %zu)", source.size(), kLongestPattern);
  Sandbox::of(L).work(L, 2 * source.size());
  auto* nodes = static_cast<PatternNode*>(lua_newuserdatauv(L, most_nodes(source) * sizeof(PatternNode), 0));
  Pattern pattern;
  if (const char* error = compile_pattern(source, anchor, nodes, pattern)) raise(L, "%s", error);
  return pattern;
}

void tell_steps(void* context, uint64_t steps) {
  auto* L = static_cast<lua_State*>(context);
  Sandbox::of(L).work(L, steps / kStepsPerInstruction);
}

Matcher matcher_of(lua_State* L, const Pattern& pattern, std::string_view subject) {
  return {pattern, subject, kSteps + kStepsPerByte * subject.size(), tell_steps, L};
}

// After the last match.
void account(lua_State* L, const Matcher& matcher) {
  Sandbox::of(L).work(L, matcher.untold() / kStepsPerInstruction);
  if (matcher.exhausted()) raise(L, "pattern takes too long to match");
}

void push_capture(lua_State* L, const Matcher& matcher, int index, size_t start, size_t end) {
  if (index == 0 && matcher.captures() == 0) {
    lua_pushlstring(L, matcher.subject().data() + start, end - start);
    return;
  }
  if (index >= matcher.captures()) raise(L, "invalid capture index %%%d", index + 1);
  const Capture& capture = matcher.capture(index);
  if (capture.size == Capture::kPosition) {
    lua_pushinteger(L, static_cast<lua_Integer>(capture.start) + 1);
  } else {
    lua_pushlstring(L, matcher.subject().data() + capture.start, static_cast<size_t>(capture.size));
  }
}

int push_captures(lua_State* L, const Matcher& matcher, size_t start, size_t end, bool whole_if_none) {
  const int count = matcher.captures() == 0 && whole_if_none ? 1 : matcher.captures();
  luaL_checkstack(L, count, "too many captures");
  for (int i = 0; i < count; ++i) push_capture(L, matcher, i, start, end);
  return count;
}

// Where a search begins, from Lua's 1-based position that counts from the end when negative; beyond the end: size + 1.
size_t initial_position(lua_State* L, int index, size_t size) {
  const lua_Integer position = luaL_optinteger(L, index, 1);
  if (position > 0) return position - 1 > static_cast<lua_Integer>(size) ? size + 1 : static_cast<size_t>(position - 1);
  if (position == 0 || position < -static_cast<lua_Integer>(size)) return 0;
  return static_cast<size_t>(static_cast<lua_Integer>(size) + position);
}

int find_plain(lua_State* L, std::string_view subject, std::string_view wanted, size_t from) {
  Sandbox::of(L).work(L, (subject.size() - from) / 16);
  const void* found = memmem(subject.data() + from, subject.size() - from, wanted.data(), wanted.size());
  if (found == nullptr) {
    lua_pushnil(L);
    return 1;
  }
  const auto start = static_cast<lua_Integer>(static_cast<const char*>(found) - subject.data());
  lua_pushinteger(L, start + 1);
  lua_pushinteger(L, start + static_cast<lua_Integer>(wanted.size()));
  return 2;
}

int search(lua_State* L, bool find) {
  const std::string_view subject = check_text(L, 1);
  const std::string_view source = check_text(L, 2);
  const size_t from = initial_position(L, 3, subject.size());
  if (from > subject.size()) {
    lua_pushnil(L);
    return 1;
  }
  if (find && (lua_toboolean(L, 4) != 0 || source.find_first_of("^$*+?.([%-)") == std::string_view::npos)) {
    return find_plain(L, subject, source, from);
  }
  const Pattern pattern = check_pattern(L, 2, /*anchor=*/true);
  Matcher matcher = matcher_of(L, pattern, subject);
  size_t end = Matcher::kNone;
  size_t start = from;
  for (; start <= subject.size(); ++start) {
    end = matcher.match_at(start);
    if (end != Matcher::kNone || matcher.exhausted() || pattern.anchored) break;
  }
  account(L, matcher);
  if (end == Matcher::kNone) {
    lua_pushnil(L);
    return 1;
  }
  if (!find) return push_captures(L, matcher, start, end, true);
  lua_pushinteger(L, static_cast<lua_Integer>(start) + 1);
  lua_pushinteger(L, static_cast<lua_Integer>(end));
  return 2 + push_captures(L, matcher, start, end, false);
}

int find(lua_State* L) { return search(L, true); }
int match(lua_State* L) { return search(L, false); }

// Upvalues: subject, pattern, next position, end of the last match or -1.
int next_match(lua_State* L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, lua_upvalueindex(2));
  const std::string_view subject = check_text(L, 1);
  const Pattern pattern = check_pattern(L, 2, /*anchor=*/false);
  const lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
  Matcher matcher = matcher_of(L, pattern, subject);
  for (auto start = static_cast<size_t>(lua_tointeger(L, lua_upvalueindex(3))); start <= subject.size(); ++start) {
    const size_t end = matcher.match_at(start);
    if (matcher.exhausted()) break;
    if (end == Matcher::kNone || static_cast<lua_Integer>(end) == last) continue;
    lua_pushinteger(L, static_cast<lua_Integer>(end));
    lua_copy(L, -1, lua_upvalueindex(4));
    lua_replace(L, lua_upvalueindex(3));
    account(L, matcher);
    return push_captures(L, matcher, start, end, true);
  }
  account(L, matcher);
  return 0;
}

int all_matches(lua_State* L) {
  const std::string_view subject = check_text(L, 1);
  check_text(L, 2);
  const size_t from = initial_position(L, 3, subject.size());
  lua_settop(L, 2);
  lua_pushinteger(L, static_cast<lua_Integer>(from));
  lua_pushinteger(L, -1);
  lua_pushcclosure(L, next_match, 4);
  return 1;
}

void add_template(lua_State* L, luaL_Buffer* buffer, const Matcher& matcher, size_t start, size_t end) {
  size_t size = 0;
  const char* text = lua_tolstring(L, 3, &size);
  for (size_t i = 0; i < size; ++i) {
    if (text[i] != '%') {
      luaL_addchar(buffer, text[i]);
      continue;
    }
    const char next = ++i < size ? text[i] : '\0';
    if (next == '%') {
      luaL_addchar(buffer, '%');
    } else if (next == '0') {
      luaL_addlstring(buffer, matcher.subject().data() + start, end - start);
    } else if (next >= '1' && next <= '9') {
      push_capture(L, matcher, next - '1', start, end);
      luaL_tolstring(L, -1, nullptr);
      lua_remove(L, -2);
      luaL_addvalue(buffer);
    } else {
      raise(L, "invalid use of '%%' in replacement string");
    }
  }
}

// Adds what stands for the match: of a text, a table or a function at 3.
void add_replacement(lua_State* L, luaL_Buffer* buffer, const Matcher& matcher, size_t start, size_t end) {
  const int type = lua_type(L, 3);
  if (type == LUA_TSTRING || type == LUA_TNUMBER) return add_template(L, buffer, matcher, start, end);
  if (type == LUA_TTABLE) {
    push_capture(L, matcher, 0, start, end);
    get_charged(L, 3);
  } else {
    lua_pushvalue(L, 3);
    const int count = push_captures(L, matcher, start, end, true);
    lua_call(L, count, 1);
  }
  if (lua_toboolean(L, -1) == 0) {
    lua_pop(L, 1);
    luaL_addlstring(buffer, matcher.subject().data() + start, end - start);
    return;
  }
  if (lua_isstring(L, -1) == 0) raise(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  luaL_addvalue(buffer);
}

int substitute(lua_State* L) {
  const std::string_view subject = check_text(L, 1);
  const int type = lua_type(L, 3);
  luaL_argexpected(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
                   "string/function/table");
  const lua_Integer most = luaL_optinteger(L, 4, static_cast<lua_Integer>(subject.size()) + 1);
  lua_settop(L, 4);
  const Pattern pattern = check_pattern(L, 2, /*anchor=*/true);
  Matcher matcher = matcher_of(L, pattern, subject);
  const uint64_t each = type == LUA_TSTRING ? 1 + check_text(L, 3).size() / 2 : 4;
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  lua_Integer count = 0;
  size_t position = 0;
  size_t last = Matcher::kNone;
  while (count < most) {
    const size_t end = matcher.match_at(position);
    if (matcher.exhausted()) break;
    if (end != Matcher::kNone && end != last) {
      ++count;
      Sandbox::of(L).work(L, each);
      add_replacement(L, &buffer, matcher, position, end);
      position = last = end;
    } else if (position < subject.size()) {
      luaL_addchar(&buffer, subject[position++]);
    } else {
      break;
    }
    if (pattern.anchored) break;
  }
  account(L, matcher);
  if (position < subject.size()) luaL_addlstring(&buffer, subject.data() + position, subject.size() - position);
  luaL_pushresult(&buffer);
  lua_pushinteger(L, count);
  return 2;
}

int repeat(lua_State* L) {
  static const lua_CFunction stock = stock_function("string", "rep");
  const size_t size = check_text(L, 1).size();
  const lua_Integer count = luaL_checkinteger(L, 2);
  const size_t separator = lua_isnoneornil(L, 3) ? 0 : check_text(L, 3).size();
  if (count <= 0 || size + separator == 0) {
    lua_pushliteral(L, "");
    return 1;
  }
  if (static_cast<lua_Unsigned>(count) > kLongestText / (size + separator))
    raise(L, "resulting text too long (at most %zu bytes)", kLongestText);
  Sandbox::of(L).work(L, static_cast<uint64_t>(count) / 4 + static_cast<uint64_t>(count) * (size + separator) / 32);
  return stock(L);
}

// Whether a conversion of this letter is in the format.
bool converts(std::string_view text, char letter) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '%') continue;
    ++i;
    while (i < text.size() && std::strchr("-+ #0123456789.", text[i]) != nullptr) ++i;
    if (i < text.size() && text[i] == letter) return true;
  }
  return false;
}

int format(lua_State* L) {
  static const lua_CFunction stock = stock_function("string", "format");
  Sandbox::of(L).work(L, check_text(L, 1).size() / 4);
  if (converts(check_text(L, 1), 'p')) raise(L, "'%%p' is not available: addresses differ from run to run");
  for (int i = 2; i <= lua_gettop(L); ++i) {
    const int type = lua_type(L, i);
    if (type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TUSERDATA && type != LUA_TTHREAD &&
        type != LUA_TLIGHTUSERDATA)
      continue;
    push_text(L, i);
    lua_replace(L, i);
  }
  return stock(L);
}

// Lua's own function, after the text at 1 was told of.
template <const char* name>
int whole_text(lua_State* L) {
  static const lua_CFunction stock = stock_function("string", name);
  Sandbox::of(L).work(L, check_text(L, 1).size() / 4);
  return stock(L);
}
constexpr char kLower[] = "lower";
constexpr char kUpper[] = "upper";
constexpr char kReverse[] = "reverse";
constexpr char kPack[] = "pack";
constexpr char kPackSize[] = "packsize";
constexpr char kUnpack[] = "unpack";

int byte(lua_State* L) {
  static const lua_CFunction stock = stock_function("string", "byte");
  if (lua_gettop(L) > 2) Sandbox::of(L).work(L, bytes_in_range(L, check_text(L, 1).size(), 2));
  return stock(L);
}

int from_bytes(lua_State* L) {
  static const lua_CFunction stock = stock_function("string", "char");
  Sandbox::of(L).work(L, static_cast<uint64_t>(lua_gettop(L)));
  return stock(L);
}

}  // namespace

uint64_t bytes_in_range(lua_State* L, size_t size, int from) {
  const auto length = static_cast<lua_Integer>(size);
  const auto position = [length](lua_Integer at) { return at >= 0 ? at : at < -length ? 0 : length + at + 1; };
  const lua_Integer first = std::max<lua_Integer>(position(luaL_optinteger(L, from, 1)), 1);
  const lua_Integer last = std::min(position(luaL_optinteger(L, from + 1, first)), length);
  return last < first ? 0 : static_cast<uint64_t>(last - first + 1);
}

int open_string_library(lua_State* L) {
  static const std::vector<luaL_Reg> functions = [] {
    auto all = stock_functions("string", {"len", "sub"});
    for (const luaL_Reg& own : {luaL_Reg{"find", find},
                                {"match", match},
                                {"gmatch", all_matches},
                                {"gsub", substitute},
                                {"rep", repeat},
                                {"format", format},
                                {"byte", byte},
                                {"char", from_bytes},
                                {"lower", whole_text<kLower>},
                                {"upper", whole_text<kUpper>},
                                {"reverse", whole_text<kReverse>},
                                {"pack", whole_text<kPack>},
                                {"packsize", whole_text<kPackSize>},
                                {"unpack", whole_text<kUnpack>}}) {
      all.push_back(own);
    }
    return all;
  }();
  lua_createtable(L, 0, static_cast<int>(functions.size()));
  for (const luaL_Reg& each : functions) {
    lua_pushcfunction(L, each.func);
    lua_setfield(L, -2, each.name);
  }
  return 1;
}

}  // namespace skald::lua
