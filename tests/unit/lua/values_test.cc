#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lua/json.h"
#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {
namespace {

using ::testing::HasSubstr;

// What the script makes of its argument.
std::string through(const std::string& json, const std::string& expression = "v") {
  HistoryDriver driver("local skald = require 'skald'\nreturn function(v) return " + expression + " end");
  driver.start({json});
  driver.run();
  if (driver.status() == "failed") return driver.failure().message();
  return driver.status() == "completed" ? driver.result() : driver.task_failure_text();
}

TEST(Values, ComeBackAsTheyWent) {
  for (const char* json : {"1", "-7", "9223372036854775807", "1.0", "0.1", "1e+300", "true", "false", "\"text\"",
                           "\"\"", "[]", "{}", "[1,2,3]", "[[],{},[null]]", R"({"a":{"b":[1,{"c":"d"}]},"z":1.5})",
                           R"("line\nquote\"back\\slash\ttab")", "\"äöü €\"", R"(["",0,-0.5])", R"("\u0001")"}) {
    EXPECT_EQ(through(json), json);
  }
}

TEST(Values, ReadAllOfJson) {
  EXPECT_EQ(through(" { \"a\" : [ 1 , 2 ] } "), R"({"a":[1,2]})");
  EXPECT_EQ(through(R"("\u00e9\ud83d\ude00\/")"), "\"é😀/\"");
  EXPECT_EQ(through(R"("\ud800x")"), "\"\xef\xbf\xbdx\"");
  EXPECT_EQ(through("18446744073709551616"), "18446744073709551616.0");
  EXPECT_EQ(through("1E2"), "100.0");
  EXPECT_EQ(through(R"({"a":null,"b":1})"), R"({"b":1})");
  EXPECT_EQ(through("null"), "null");
}

TEST(Values, RefuseWhatIsNoJson) {
  for (const char* bad : {"", "{", "[1,]", "{\"a\"}", "nul", "01", "1.2.3", "\"abc", "\"\\x\"", "1 2", "{1:2}",
                          "\"\x01\"", "\"\xff\"", "-", "[1", "\"\\u12\""}) {
    EXPECT_THAT(through(bad), HasSubstr("not JSON")) << bad;
  }
  EXPECT_THAT(through(std::string(100, '[') + std::string(100, ']')), HasSubstr("nested too deep"));
  EXPECT_THAT(through("1e999"), HasSubstr("a number that is too large"));
  EXPECT_THAT(through("[" + std::string(1'000'000, '[') + "]"), HasSubstr("nested too deep"));
  std::string tables = "[[]";
  for (int i = 0; i < 690'000; ++i) tables += ",[]";
  EXPECT_THAT(through(tables + "]"), HasSubstr("takes too much memory"));
}

TEST(Values, KeepArraysAndObjectsApart) {
  EXPECT_EQ(through("0", "{}"), "{}");
  EXPECT_EQ(through("0", "skald.array {}"), "[]");
  EXPECT_EQ(through("0", "{ 1, skald.null, 3 }"), "[1,null,3]");
  EXPECT_EQ(through("0", "{ b = 1, a = 2, [\"c\"] = skald.null }"), R"({"a":2,"b":1,"c":null})");
  EXPECT_EQ(through("[1]", "(function() v[1] = nil; return v end)()"), "[]");
}

TEST(Values, ErrorsNameThePlace) {
  EXPECT_THAT(through("0", "{ lines = { { price = 1 }, { price = print } } }"),
              HasSubstr("result.lines[2].price: a function cannot leave"));
  EXPECT_THAT(through("0", "{ 1, 2, x = 3 }"),
              HasSubstr("result: a table with both numbered and named fields (such as 'x')"));
  EXPECT_THAT(through("0", "{ [1] = 1, [3] = 3 }"), HasSubstr("result[2]: missing"));
  EXPECT_THAT(through("0", "{ a = 0/0 }"), HasSubstr("result.a: infinity and NaN"));
  EXPECT_THAT(through("0", "{ a = '\\xff' }"), HasSubstr("result.a: not UTF-8 from byte 1 on"));
  EXPECT_THAT(through("0", "{ [true] = 1 }"), HasSubstr("a field's name must be text, not a boolean"));
  EXPECT_THAT(through("0", "(function() local t = {}; t.t = t; return t end)()"),
              HasSubstr("nested deeper than 80 levels"));
  EXPECT_THAT(through("0", "('x'):rep(3000000)"), HasSubstr("larger than 2 MiB"));
}

TEST(Values, Utf8PrefixEndsAtTheFirstBadByte) {
  EXPECT_EQ(utf8_prefix("abc"), 3u);
  EXPECT_EQ(utf8_prefix("a\xc3\xa4"), 3u);
  EXPECT_EQ(utf8_prefix("a\xc0\x80"), 1u);
  EXPECT_EQ(utf8_prefix("\xed\xa0\x80"), 0u);
  EXPECT_EQ(utf8_prefix("\xf4\x90\x80\x80"), 0u);
  EXPECT_EQ(utf8_prefix("\xe2\x82"), 0u);
}

}  // namespace
}  // namespace skald::lua::testing
