#include "tests/fuzz/lua/script_maker.h"

#include <absl/strings/str_cat.h>

namespace skald::lua::testing {
namespace {

constexpr const char* kFunctions[] = {
    "assert", "error", "ipairs", "rawequal", "rawget", "rawlen", "rawset", "select", "getmetatable", "tonumber", "type",
    "next", "pairs", "pcall", "xpcall", "setmetatable", "tostring", "load", "print", "string.find", "string.match",
    "string.gmatch", "string.gsub", "string.rep", "string.format", "string.byte", "string.char", "string.len",
    "string.lower", "string.upper", "string.reverse", "string.sub", "string.pack", "string.packsize", "string.unpack",
    "table.insert", "table.remove", "table.concat", "table.unpack", "table.move", "table.sort", "table.pack", "math.max",
    "math.min", "math.abs", "math.floor", "math.fmod", "math.tointeger", "math.random", "math.ult", "utf8.char",
    "utf8.codepoint", "utf8.codes", "utf8.len", "utf8.offset", "skald.now", "skald.date", "skald.random", "skald.uuid",
    "skald.fail", "skald.is_error", "skald.array", "skald.info", "skald.log.info", "skald.async", "skald.scope",
    "skald.timer", "skald.wait_until", "skald.sleep", "skald.side_effect", "skald.activities", "skald.child",
    "skald.signal", "skald.on_signal", "skald.on_query", "skald.all", "skald.race", "skald.check", "skald.upsert_memo",
    "skald.upsert_search_attributes", "skald.workflow", "skald.continue_as_new"};

// What every script begins with.
constexpr char kPrelude[] = R"(local skald = require 'skald'
local function chain(event, last, count)
  local t = last
  for _ = 1, count do t = setmetatable({}, {[event] = t}) end
  return t
end
local function filled(count, value) local t = {} for i = 1, count do t[i] = value or i end return t end
local function named(count) local t = {} for i = 1, count do t['k' .. i] = i end return t end
local function nested(count) local t = {} for _ = 1, count do t = {t} end return t end
local function shared(count) local t = {} for _ = 1, count do t = {t, t} end return t end
local function compute(count) return function(a) for _ = 1, count do end return a end end
local function all_events(f)
  return setmetatable({}, {__index = f, __newindex = f, __lt = f, __le = f, __eq = f, __len = f, __call = f,
    __concat = f, __tostring = f, __close = f, __unm = f, __add = f, __pairs = f, __name = ('n'):rep(1000)})
end
local self_made = {} self_made[1] = self_made self_made.x = self_made setmetatable(self_made, self_made)
self_made.__index = self_made
local kept = {}
)";

}  // namespace

std::string ScriptMaker::number() {
  static constexpr const char* kNumbers[] = {"0",       "1",           "-1",   "2",           "7",
                                             "64",      "200",         "1990", "4000",        "65536",
                                             "3999999", "(1 << 31)",   "1e9",  "math.huge",   "-math.huge",
                                             "(0/0)",   "math.maxinteger", "math.mininteger", "0.5", "1e308"};
  return kNumbers[below(std::size(kNumbers))];
}

std::string ScriptMaker::text() {
  static constexpr const char* kTexts[] = {"''",
                                           "'x'",
                                           "'%w*'",
                                           "'(a*)*b'",
                                           "('a*'):rep(20) .. 'b'",
                                           "('[%w%s]'):rep(120)",
                                           "('a'):rep(4000)",
                                           "('()'):rep(30)",
                                           "('%1'):rep(9000)",
                                           "'%b()'",
                                           "('('):rep(40000)",
                                           "'%f[%w]'",
                                           "('1'):rep(40000)",
                                           "('x'):rep(300000)",
                                           "('\\x80'):rep(40000)",
                                           "('\\xc3\\xa4'):rep(20000)",
                                           "('c1000000000'):rep(3)",
                                           "('i16'):rep(1000)",
                                           "('%99.99f'):rep(100)",
                                           "('x=1 '):rep(9000)",
                                           "('('):rep(300) .. '1'",
                                           "'\\0\\xff'",
                                           "'k'",
                                           "'__index'",
                                           "'%s%s%d%q'"};
  return kTexts[below(std::size(kTexts))];
}

std::string ScriptMaker::table(int depth) {
  switch (below(16)) {
    case 0:
      return "{}";
    case 1:
      return absl::StrCat("chain('__index', ", function(depth), ", ", number(), " % 2500 // 1 | 0)");
    case 2:
      return "chain('__index', {1, 2, 3}, 1990)";
    case 3:
      return "chain('__newindex', {}, 1990)";
    case 4:
      return absl::StrCat("chain('__call', print, ", 1 + below(4000), ")");
    case 5:
      return absl::StrCat("filled(", 1 + below(5000), ")");
    case 6:
      return absl::StrCat("named(", 1 + below(3000), ")");
    case 7:
      return absl::StrCat("nested(", 1 + below(90), ")");
    case 8:
      return absl::StrCat("shared(", 1 + below(60), ")");
    case 9:
      return absl::StrCat("all_events(", function(depth), ")");
    case 10:
      return "self_made";
    case 11:
      return absl::StrCat("filled(300, ", value(depth + 1), ")");
    case 12:
      return absl::StrCat("{", value(depth + 1), ", ", value(depth + 1), ", k = ", value(depth + 1), "}");
    case 13:
      return "skald.array {}";
    case 14:
      return absl::StrCat("filled(", 100'000 + below(900'000), ")");
    default:
      return absl::StrCat("setmetatable({}, ", value(depth + 1), ")");
  }
}

std::string ScriptMaker::function(int depth) {
  switch (below(7)) {
    case 0:
      return "compute(10)";
    case 1:
      return "compute(100000)";
    case 2:
      return "function() while true do end end";
    case 3:
      return "error";
    case 4:
      return absl::StrCat("function(...) return ", depth > 3 ? "..." : call(depth + 1), " end");
    case 5:
      return absl::StrCat("function(...) kept[#kept + 1] = ... ", depth > 3 ? "" : statement(depth + 1), " return ... end");
    default:
      return kFunctions[below(std::size(kFunctions))];
  }
}

std::string ScriptMaker::value(int depth) {
  if (depth > 4) return below(2) == 0 ? number() : "nil";
  switch (below(12)) {
    case 0:
      return "nil";
    case 1:
      return below(2) == 0 ? "true" : "skald.null";
    case 2:
    case 3:
      return number();
    case 4:
    case 5:
      return text();
    case 6:
    case 7:
    case 8:
      return table(depth);
    case 9:
      return function(depth);
    case 10:
      return call(depth + 1);
    default:
      return "kept[#kept]";
  }
}

std::string ScriptMaker::call(int depth) {
  std::string text = absl::StrCat("select(2, pcall(", kFunctions[below(std::size(kFunctions))]);
  for (size_t left = below(5); left > 0; --left) absl::StrAppend(&text, ", ", value(depth + 1));
  return text + "))";
}

std::string ScriptMaker::statement(int depth) {
  if (depth > 3) return absl::StrCat("kept[#kept + 1] = ", call(depth + 1), "\n");
  switch (below(10)) {
    case 0:
      return absl::StrCat("for _ = 1, ", 1 + below(20'000), " do ", statement(depth + 1), " end\n");
    case 1:
      return absl::StrCat("while true do ", statement(depth + 1), " end\n");
    case 2:
      return absl::StrCat("pcall(function() for k, v in ", below(2) == 0 ? "pairs(" : "ipairs(", value(depth + 1),
                          ") do ", statement(depth + 1), " end end)\n");
    case 3:
      return absl::StrCat("pcall(function() local x <close> = ", table(depth + 1), " ", statement(depth + 1), " end)\n");
    case 4:
      return absl::StrCat("pcall(function() return ", value(depth + 1),
                          below(2) == 0 ? " < " : below(2) == 0 ? " .. " : " == ", value(depth + 1), " end)\n");
    case 5:
      return absl::StrCat("kept = {} ", statement(depth + 1));
    default:
      return absl::StrCat("kept[#kept + 1] = ", call(depth + 1), "\n");
  }
}

std::string ScriptMaker::block(int depth, size_t statements) {
  std::string text;
  for (size_t i = 0; i < statements; ++i) text += statement(depth);
  return text;
}

std::string ScriptMaker::make() {
  return absl::StrCat(kPrelude, "skald.on_query('probe', function() ", block(1, 1 + below(3)), " return ", value(1),
                      " end)\nreturn function()\n", block(0, 1 + below(6)), "return ", value(1), "\nend\n");
}

}  // namespace skald::lua::testing
