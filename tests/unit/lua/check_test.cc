#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// What skald.check says of the value: "fine", or the message of the failure that ends the workflow.
std::string checked(const std::string& schema, const std::string& value) {
  HistoryDriver driver("local skald = require 'skald'\nlocal check = skald.check\nlocal SCHEMA = " + schema +
                       "\nreturn function(v) skald.check(v, SCHEMA); return 'fine' end");
  driver.start({value});
  driver.run();
  if (driver.status() == "completed") return "fine";
  if (driver.status() != "failed") return "task failure: " + driver.task_failure_text();
  EXPECT_EQ(driver.failure().application_failure_info().type(), "InvalidInput");
  EXPECT_TRUE(driver.failure().application_failure_info().non_retryable());
  return driver.failure().message();
}

struct Case {
  const char* schema;
  const char* value;
  const char* says;
};

TEST(Check, EachKindSaysWhatItWantsAndWhatItGot) {
  const Case kCases[] = {
      {"check.text()", R"("a")", "fine"},
      {"check.text()", R"("")", "the input must be a text of 1 to 1000 characters, has 0"},
      {"check.text()", "3", "the input must be a text of 1 to 1000 characters, is 3"},
      {"check.text { from = 0 }", R"("")", "fine"},
      {"check.text { up_to = 3 }", R"("äöü")", "fine"},
      {"check.text { up_to = 3 }", R"("äöüx")", "the input must be a text of 1 to 3 characters, has 4"},
      {"check.text { like = '^%a+$' }", R"("a1")", "the input must be a text of 1 to 1000 characters like ^%a+$, is \"a1\""},
      {"check.whole { from = 1, up_to = 9 }", "9", "fine"},
      {"check.whole { from = 1, up_to = 9 }", "9.0", "fine"},
      {"check.whole { from = 1, up_to = 9 }", "10", "the input must be a whole number from 1 to 9, is 10"},
      {"check.whole { from = 1, up_to = 9 }", "1.5", "the input must be a whole number from 1 to 9, is 1.5"},
      {"check.whole { from = 1 }", R"("x")", "the input must be a whole number of at least 1, is \"x\""},
      {"check.number { up_to = 1 }", "0.5", "fine"},
      {"check.number { up_to = 1 }", "1.5", "the input must be a number of at most 1, is 1.5"},
      {"check.boolean()", "false", "fine"},
      {"check.boolean()", "0", "the input must be true or false, is 0"},
      {"check.one_of { 'a', 'b' }", R"("b")", "fine"},
      {"check.one_of { 'a', 'b' }", R"("c")", R"(the input must be one of "a", "b", is "c")"},
      {"check.one_of { 'a', 'b' }", "{}", R"(the input must be one of "a", "b", is an object)"},
      {"check.duration()", R"("1h30m")", "fine"},
      {"check.duration()", "2.5", "fine"},
      {"check.duration()", R"("soon")", R"(the input must be a duration like "15m", or seconds, is "soon")"},
      {"check.duration()", "-1", R"(the input must be a duration like "15m", or seconds, is -1)"},
      {"check.amount()", "1250", "fine"},
      {"check.amount()", "12.5", "the input must be an amount in minor units, a whole number from 0 to 1000000000000000, is 12.5"},
      {"check.amount()", "-1", "the input must be an amount in minor units, a whole number from 0 to 1000000000000000, is -1"},
      {"check.currency()", R"("EUR")", "fine"},
      {"check.currency()", R"("eur")", R"(the input must be a currency of ISO 4217, like "EUR", is "eur")"},
      {"check.currency()", R"("XXQ")", R"(the input must be a currency of ISO 4217, like "EUR", is "XXQ")"},
      {"check.currency()", R"("R B")", R"(the input must be a currency of ISO 4217, like "EUR", is "R B")"},
      {"check.anything(2)", "[[1]]", "fine"},
      {"check.anything(2)", "[[[1]]]", "the input is nested deeper than 2 levels"},
      {"check.list(check.whole(), { from = 1, up_to = 2 })", "[1,2]", "fine"},
      {"check.list(check.whole(), { from = 1, up_to = 2 })", "[]", "the input must be a list of 1 to 2 entries, has 0"},
      {"check.list(check.whole(), { from = 1, up_to = 2 })", "[1,2,3]", "the input must be a list of 1 to 2 entries, has 3"},
      {"check.list(check.whole())", "[1,null]", "the input[2] must be a whole number, is null"},
      {"check.list(check.whole())", R"({"a":1})", "the input must be a list of 0 to 1000 entries, is an object"},
      {"check.map(check.whole())", R"({"a":1,"b":"x"})", R"(the input["b"] must be a whole number, is "x")"},
      {"check.map(check.whole(), { up_to = 1 })", R"({"a":1,"b":2})", "the input must be an object of at most 1 fields, has more"},
      {"check.map(check.whole())", "[1]", "the input must be an object of at most 1000 fields, is a list"},
      {"check.object { a = check.whole() }", "{}", "a must be a whole number, is missing"},
      {"check.object { a = check.whole() }", "[1]", "the input must be an object, is a list"},
      {"check.object { a = check.whole() }", "7", "the input must be an object, is 7"},
      {"check.object { a = check.whole() }", "null", "the input must be an object, is missing"},
      {"check.object { a = check.whole() }", R"({"a":1,"b":2})", R"(the input has a field "b" that nobody knows; there are: a)"},
      {"check.object({ a = check.whole() }, 'allowed')", R"({"a":1,"b":2})", "fine"},
      {"check.object { a = check.optional(check.whole()) }", "{}", "fine"},
      {"check.object { a = check.optional(check.whole()) }", R"({"a":null})", "fine"},
      {"check.object { a = check.optional(check.whole()) }", R"({"a":"x"})", R"(a must be a whole number, is "x")"},
      {"check.optional(check.whole())", "null", "fine"},
      {"check.object { items = check.list(check.object { quantity = check.whole { from = 1, up_to = 9 } }) }",
       R"({"items":[{"quantity":1},{"quantity":"x"}]})", R"(items[2].quantity must be a whole number from 1 to 9, is "x")"},
      {"check.object { items = check.list(check.object { q = check.whole() }) }", R"({"items":[{"q":1,"z":2}]})",
       R"(items[1] has a field "z" that nobody knows; there are: q)"},
  };
  for (const Case& each : kCases) EXPECT_EQ(checked(each.schema, each.value), each.says) << each.schema << " " << each.value;
}

TEST(Check, WrongSchemasAreTheScriptsOwnErrors) {
  for (const char* schema : {"check.list('text')", "check.object { a = 'text' }", "check.text { longest = 3 }",
                             "check.whole { from = 'one' }", "check.object({}, 'maybe')", "check.optional(3)"}) {
    EXPECT_THAT(checked(schema, "1"), HasSubstr("skald.check.")) << schema;
  }
}

TEST(Check, MessagesStayShortWhateverCame) {
  const std::string long_text(1'000'000, 'x');
  for (const auto& [schema, value] : std::vector<std::pair<std::string, std::string>>{
           {"check.whole()", "\"" + long_text + "\""},
           {"check.object { a = check.optional(check.whole()) }", "{\"" + long_text + "\":1}"},
           {"check.map(check.whole())", "{\"" + long_text + "\":\"" + "x" + "\"}"},
           {"check.one_of { 1 }", "\"\\n\\u0000\xe2\x82\xac" + std::string(60, 'e') + "\""}}) {
    const std::string message = checked(schema, value);
    EXPECT_LT(message.size(), 300u) << schema;
    EXPECT_THAT(message, HasSubstr("…"));
  }
}

TEST(Check, AcceptsLogsAndGoesOn) {
  HistoryDriver driver(
      "local skald = require 'skald'\nlocal WORD = skald.check.object { by = skald.check.text() }\n"
      "return function(v) return skald.check.accepts(v, WORD, 'the signal done') end");
  driver.start({R"({"by":7})"});
  driver.run();
  EXPECT_EQ(driver.result(), "false") << driver.task_failure_text();
  ASSERT_EQ(driver.log().size(), 1u);
  EXPECT_EQ(driver.log()[0], "the signal done is dropped: by must be a text of 1 to 1000 characters, is 7");
}

TEST(Check, KnowsHowManyDecimalsACurrencyHas) {
  HistoryDriver driver(
      "local skald = require 'skald'\nreturn function(v) local all = {}\n"
      "  for i, c in ipairs(v) do all[i] = skald.check.exponent(c) or -1 end; return all end");
  driver.start({R"(["EUR","JPY","BHD","CLF","XYZ","",7,"EU","AFN","ZWG"])"});
  driver.run();
  EXPECT_EQ(driver.result(), "[2,0,3,4,-1,-1,-1,-1,2,2]") << driver.task_failure_text();
}

// What it costs is counted in instructions, as the sandbox counts: a time would differ from machine to machine.
TEST(Check, AnOrderOfAHundredItemsTakesAFractionOfASlice) {
  json order = {{"order_id", "1"}, {"items", json::array()}, {"total", 100}, {"currency", "EUR"}};
  for (int i = 0; i < 100; ++i) order["items"].push_back({{"sku", "SKU-" + std::to_string(i)}, {"quantity", 1}});
  HandlerOptions options;
  options.limits.budget = 60'000;
  HistoryDriver driver(
      "local skald = require 'skald'\nlocal check = skald.check\nlocal ORDER = check.object({ order_id = check.text(),\n"
      "  items = check.list(check.object { sku = check.text(), quantity = check.whole { from = 1, up_to = 1000 } }),\n"
      "  total = check.amount(), currency = check.currency() })\n"
      "return function(order) skald.check(order, ORDER); return 'fine' end",
      options);
  driver.start({order.dump()});
  driver.run();
  EXPECT_EQ(driver.result(), "\"fine\"") << driver.task_failure_text();
}

}  // namespace
}  // namespace skald::lua::testing
