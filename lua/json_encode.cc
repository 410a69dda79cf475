#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include <absl/strings/str_cat.h>

#include "lua/hidden_keys.h"
#include "lua/json.h"
#include "lua/sandbox.h"

namespace skald::lua {
namespace {

constexpr char kArrayMark = 0;

void push_array_metatable(lua_State* L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kArrayMark) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 1);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kArrayMark);
}

bool is_marked_array(lua_State* L, int index) {
  if (lua_getmetatable(L, index) == 0) return false;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kArrayMark);
  const bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same;
}

class Encoder {
 public:
  Encoder(lua_State* L, std::string& out, std::string& error)
      : L_(L), sandbox_(Sandbox::of(L)), out_(out), error_(error), limit_(out.size() + kLargestValue) {}

  bool value(int index, int depth) {
    if (!spend(2)) return false;
    if (out_.size() > limit_) return fail(absl::StrCat(": larger than ", kLargestValue >> 20, " MiB"));
    switch (lua_type(L_, index)) {
      case LUA_TNIL:
        out_ += "null";
        return true;
      case LUA_TBOOLEAN:
        out_ += lua_toboolean(L_, index) != 0 ? "true" : "false";
        return true;
      case LUA_TNUMBER:
        return number(index);
      case LUA_TSTRING: {
        size_t size = 0;
        const char* bytes = lua_tolstring(L_, index, &size);
        return text({bytes, size});
      }
      case LUA_TTABLE:
        return table(index, depth);
      default:
        break;
    }
    if (is_null(L_, index)) {
      out_ += "null";
      return true;
    }
    return fail(absl::StrCat(": a ", luaL_typename(L_, index), " cannot leave the workflow; only JSON values can"));
  }

 private:
  bool fail(std::string what) {
    error_ = std::move(what);
    return false;
  }

  bool spend(uint64_t instructions) {
    return sandbox_.may_work(L_, instructions) || fail(": the workflow computed for too long without waiting");
  }

  bool number(int index) {
    char buffer[40];
    if (lua_isinteger(L_, index) != 0) {
      const auto end = std::to_chars(buffer, buffer + sizeof buffer, lua_tointeger(L_, index)).ptr;
      out_.append(buffer, end);
      return true;
    }
    const double value = lua_tonumber(L_, index);
    if (!std::isfinite(value)) return fail(": infinity and NaN are not JSON values");
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    out_.append(buffer, end);
    if (std::string_view(buffer, static_cast<size_t>(end - buffer)).find_first_of(".e") == std::string_view::npos)
      out_ += ".0";
    return true;
  }

  bool text(std::string_view bytes) {
    if (!spend(bytes.size() / 8)) return false;
    const size_t good = utf8_prefix(bytes);
    if (good != bytes.size())
      return fail(absl::StrCat(": not UTF-8 from byte ", good + 1, " on; encode binary data, e.g. as base64"));
    out_ += '"';
    size_t plain = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
      const auto c = static_cast<unsigned char>(bytes[i]);
      if (c >= 0x20 && c != '"' && c != '\\') continue;
      out_.append(bytes.substr(plain, i - plain));
      plain = i + 1;
      escape(c);
    }
    out_.append(bytes.substr(plain));
    out_ += '"';
    return true;
  }

  void escape(unsigned char c) {
    static constexpr char kDigits[] = "0123456789abcdef";
    switch (c) {
      case '"':
        out_ += "\\\"";
        return;
      case '\\':
        out_ += "\\\\";
        return;
      case '\n':
        out_ += "\\n";
        return;
      case '\r':
        out_ += "\\r";
        return;
      case '\t':
        out_ += "\\t";
        return;
      case '\b':
        out_ += "\\b";
        return;
      case '\f':
        out_ += "\\f";
        return;
      default:
        break;
    }
    out_ += "\\u00";
    out_ += kDigits[c >> 4];
    out_ += kDigits[c & 15];
  }

  bool table(int index, int depth) {
    if (depth >= kDeepestWritten)
      return fail(absl::StrCat(": nested deeper than ", kDeepestWritten, " levels (or it contains itself)"));
    if (lua_checkstack(L_, 8) == 0) return fail(": nested too deep");
    size_t numbers = 0;
    keys_.emplace_back();
    const bool collected = collect_keys(index, numbers);
    const std::vector<std::string_view> names = std::move(keys_.back());
    keys_.pop_back();
    if (!collected) return false;
    if (numbers > 0 && !names.empty()) {
      return fail(absl::StrCat(": a table with both numbered and named fields (such as '", std::string(names.front()),
                               "') is neither array nor object"));
    }
    if (numbers > 0 || (names.empty() && is_marked_array(L_, index))) return array(index, numbers, depth);
    return object(index, names, depth);
  }

  // The texts stay valid while they are keys of the table.
  bool collect_keys(int index, size_t& numbers) {
    std::vector<std::string_view>& names = keys_.back();
    for (lua_pushnil(L_); lua_next(L_, index) != 0; lua_pop(L_, 1)) {
      if (!spend(1)) {
        lua_pop(L_, 2);
        return false;
      }
      if (lua_type(L_, -2) == LUA_TSTRING) {
        size_t size = 0;
        const char* name = lua_tolstring(L_, -2, &size);
        names.emplace_back(name, size);
      } else if (lua_isinteger(L_, -2) != 0) {
        ++numbers;
      } else if (!is_hidden_key(L_, -2)) {
        const char* type = luaL_typename(L_, -2);
        lua_pop(L_, 2);
        return fail(
            absl::StrCat(": a field's name must be text, not a ", lua_isnumber(L_, -2) != 0 ? "fraction" : type));
      }
    }
    std::sort(names.begin(), names.end(), [this](std::string_view a, std::string_view b) {
      sandbox_.may_work(L_, 1 + std::min(a.size(), b.size()) / 64);
      return a < b;
    });
    return true;
  }

  bool array(int index, size_t count, int depth) {
    out_ += '[';
    for (size_t i = 1; i <= count; ++i) {
      if (i > 1) out_ += ',';
      if (lua_rawgeti(L_, index, static_cast<lua_Integer>(i)) == LUA_TNIL) {
        lua_pop(L_, 1);
        return fail(
            absl::StrCat("[", i, "]: missing, though later elements are there; put skald.null, or use text keys"));
      }
      const bool good = value(lua_gettop(L_), depth + 1);
      lua_pop(L_, 1);
      if (!good) return fail(absl::StrCat("[", i, "]", error_));
    }
    out_ += ']';
    return true;
  }

  bool object(int index, const std::vector<std::string_view>& names, int depth) {
    out_ += '{';
    bool first = true;
    for (const std::string_view name : names) {
      if (!first) out_ += ',';
      first = false;
      if (!text(name)) return false;
      out_ += ':';
      lua_pushlstring(L_, name.data(), name.size());
      lua_rawget(L_, index);
      const bool good = value(lua_gettop(L_), depth + 1);
      lua_pop(L_, 1);
      if (!good) return fail(absl::StrCat(".", std::string(name), error_));
    }
    out_ += '}';
    return true;
  }

  lua_State* L_;
  Sandbox& sandbox_;
  std::string& out_;
  std::string& error_;
  const size_t limit_;
  std::vector<std::vector<std::string_view>> keys_;
};

}  // namespace

void mark_array(lua_State* L, int index) {
  index = lua_absindex(L, index);
  push_array_metatable(L);
  lua_setmetatable(L, index);
}

bool encode_json(lua_State* L, int index, std::string& out, std::string& error) {
  const Arena::HostWork host(Sandbox::of(L).arena());
  const size_t before = out.size();
  const bool good = Encoder(L, out, error).value(lua_absindex(L, index), 0) && out.size() - before <= kLargestValue;
  if (!good && error.empty()) error = absl::StrCat(": larger than ", kLargestValue >> 20, " MiB");
  return good;
}

std::string to_utf8(std::string_view text) {
  std::string result;
  while (true) {
    const size_t good = utf8_prefix(text);
    result.append(text.substr(0, good));
    if (good == text.size()) return result;
    result += "\xef\xbf\xbd";
    text.remove_prefix(good + 1);
  }
}

std::string shortened(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return to_utf8(text);
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return to_utf8(text.substr(0, bytes)) + "…";
}

size_t utf8_prefix(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || i + length > text.size()) return i;
    const auto second = static_cast<unsigned char>(text[i + 1]);
    // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
    const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high) return i;
    for (size_t k = 2; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return i;
    }
    i += length;
  }
  return i;
}

}  // namespace skald::lua
