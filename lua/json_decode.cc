#include <charconv>
#include <cmath>
#include <cstdlib>

#include <absl/strings/str_cat.h>

#include "lua/json.h"
#include "lua/sandbox.h"

namespace skald::lua {
namespace {

constexpr uint64_t kInstructionsPerValue = 10;

class Decoder {
 public:
  Decoder(lua_State* L, std::string_view text, std::string& error) : L_(L), sandbox_(Sandbox::of(L)), text_(text), error_(error) {}

  bool document() {
    if (!value(0, Null::kNil)) return false;
    skip_space();
    return at_ == text_.size() || fail("more text after the value");
  }

 private:
  enum class Null { kNil, kValue };

  bool fail(const char* what) {
    error_ = absl::StrCat("not JSON: ", what, " at byte ", at_ + 1);
    return false;
  }
  // What the value takes in memory, about: so much for each table, field, element and text.
  bool take_room(size_t bytes) {
    if (bytes > room_) return fail("a value that takes too much memory");
    room_ -= bytes;
    return true;
  }
  bool more() const { return at_ < text_.size(); }
  void skip_space() {
    while (more() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) ++at_;
  }
  bool take(char c) {
    if (!more() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view wanted) {
    if (text_.substr(at_, wanted.size()) != wanted) return fail("an unknown word");
    at_ += wanted.size();
    return true;
  }

  bool value(int depth, Null null) {
    if (!sandbox_.may_work(L_, kInstructionsPerValue)) return fail("the workflow computed for too long without waiting");
    skip_space();
    if (!more()) return fail("the text ends too early");
    if (depth > kDeepestValue) return fail("nested too deep");
    if (lua_checkstack(L_, 6) == 0) return fail("nested too deep");
    switch (text_[at_]) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return text();
      case 't':
        if (!word("true")) return false;
        lua_pushboolean(L_, 1);
        return true;
      case 'f':
        if (!word("false")) return false;
        lua_pushboolean(L_, 0);
        return true;
      case 'n':
        if (!word("null")) return false;
        if (null == Null::kNil) {
          lua_pushnil(L_);
        } else {
          push_null(L_);
        }
        return true;
      default:
        return number();
    }
  }

  bool object(int depth) {
    ++at_;
    if (!take_room(kTableRoom)) return false;
    lua_newtable(L_);
    skip_space();
    if (take('}')) return true;
    while (true) {
      skip_space();
      if (!more() || text_[at_] != '"') return fail("a field's name is missing");
      if (!take_room(kFieldRoom)) return false;
      if (!text()) return false;
      skip_space();
      if (!take(':')) return fail("a colon is missing");
      if (!value(depth + 1, Null::kNil)) return false;
      lua_rawset(L_, -3);
      skip_space();
      if (take('}')) return true;
      if (!take(',')) return fail("a comma or brace is missing");
    }
  }

  bool array(int depth) {
    ++at_;
    if (!take_room(kTableRoom)) return false;
    lua_newtable(L_);
    mark_array(L_, -1);
    skip_space();
    if (take(']')) return true;
    for (lua_Integer i = 1;; ++i) {
      if (!take_room(kElementRoom) || !value(depth + 1, Null::kValue)) return false;
      lua_rawseti(L_, -2, i);
      skip_space();
      if (take(']')) return true;
      if (!take(',')) return fail("a comma or bracket is missing");
    }
  }

  bool number() {
    const size_t start = at_;
    bool whole = true;
    take('-');
    if (!more() || text_[at_] < '0' || text_[at_] > '9') return fail("an unexpected character");
    if (text_[at_] == '0' && at_ + 1 < text_.size() && text_[at_ + 1] >= '0' && text_[at_ + 1] <= '9')
      return fail("a number with a leading zero");
    while (more()) {
      const char c = text_[at_];
      if (c == '.' || c == 'e' || c == 'E') {
        whole = false;
      } else if ((c < '0' || c > '9') &&
                 !((c == '+' || c == '-') && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E'))) {
        break;
      }
      ++at_;
    }
    const char* first = text_.data() + start;
    const char* last = text_.data() + at_;
    if (whole) {
      lua_Integer integer = 0;
      const auto read = std::from_chars(first, last, integer);
      if (read.ec == std::errc() && read.ptr == last) {
        lua_pushinteger(L_, integer);
        return true;
      }
    }
    double real = 0;
    const auto read = std::from_chars(first, last, real);
    if (read.ptr != last || (read.ec != std::errc() && read.ec != std::errc::result_out_of_range))
      return fail("a malformed number");
    if (read.ec == std::errc::result_out_of_range) real = std::strtod(std::string(first, last).c_str(), nullptr);
    // It could not go out again.
    if (!std::isfinite(real)) return fail("a number that is too large");
    lua_pushnumber(L_, real);
    return true;
  }

  bool text() {
    const size_t start = ++at_;
    while (more() && text_[at_] != '"' && text_[at_] != '\\' && static_cast<unsigned char>(text_[at_]) >= 0x20) ++at_;
    if (more() && text_[at_] == '"') {
      const std::string_view plain = text_.substr(start, at_ - start);
      if (utf8_prefix(plain) != plain.size()) return fail("text that is not UTF-8");
      if (!take_room(kTextRoom + plain.size())) return false;
      lua_pushlstring(L_, plain.data(), plain.size());
      ++at_;
      return true;
    }
    std::string decoded(text_.substr(start, at_ - start));
    while (true) {
      if (!more()) return fail("a text without end");
      const char c = text_[at_];
      if (c == '"') break;
      if (static_cast<unsigned char>(c) < 0x20) return fail("a control character in a text");
      ++at_;
      if (c != '\\') {
        decoded += c;
      } else if (!escape(decoded)) {
        return false;
      }
    }
    ++at_;
    if (utf8_prefix(decoded) != decoded.size()) return fail("text that is not UTF-8");
    if (!take_room(kTextRoom + decoded.size())) return false;
    lua_pushlstring(L_, decoded.data(), decoded.size());
    return true;
  }

  bool escape(std::string& out) {
    if (!more()) return fail("a text without end");
    switch (text_[at_++]) {
      case '"':
        out += '"';
        return true;
      case '\\':
        out += '\\';
        return true;
      case '/':
        out += '/';
        return true;
      case 'b':
        out += '\b';
        return true;
      case 'f':
        out += '\f';
        return true;
      case 'n':
        out += '\n';
        return true;
      case 'r':
        out += '\r';
        return true;
      case 't':
        out += '\t';
        return true;
      case 'u':
        break;
      default:
        return fail("an unknown escape");
    }
    uint32_t code = 0;
    if (!four_digits(code)) return false;
    if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_, 2) == "\\u") {
      const size_t before = at_;
      at_ += 2;
      uint32_t low = 0;
      if (!four_digits(low)) return false;
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      } else {
        at_ = before;
      }
    }
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;  // half a pair stands for no character
    append_utf8(out, code);
    return true;
  }

  bool four_digits(uint32_t& code) {
    const char* first = text_.data() + at_;
    if (text_.size() - at_ < 4 || std::from_chars(first, first + 4, code, 16).ptr != first + 4)
      return fail("a malformed \\u escape");
    at_ += 4;
    return true;
  }

  static void append_utf8(std::string& out, uint32_t code) {
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xc0 | (code >> 6));
      out += static_cast<char>(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
      out += static_cast<char>(0xe0 | (code >> 12));
      out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
      out += static_cast<char>(0x80 | (code & 0x3f));
    } else {
      out += static_cast<char>(0xf0 | (code >> 18));
      out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
      out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
      out += static_cast<char>(0x80 | (code & 0x3f));
    }
  }

  static constexpr size_t kTableRoom = 64, kFieldRoom = 40, kElementRoom = 16, kTextRoom = 24;

  lua_State* L_;
  Sandbox& sandbox_;
  std::string_view text_;
  std::string& error_;
  size_t at_ = 0;
  size_t room_ = kLargestInMemory;
};

}  // namespace

bool decode_json(lua_State* L, std::string_view text, std::string& error) {
  Sandbox& sandbox = Sandbox::of(L);
  const Arena::HostWork host(sandbox.arena());
  sandbox.charge(text.size() / 8);
  const int top = lua_gettop(L);
  if (Decoder(L, text, error).document()) return true;
  lua_settop(L, top);
  return false;
}

}  // namespace skald::lua
