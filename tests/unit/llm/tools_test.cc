#include "plugins/llm/tools.h"

#include <gmock/gmock.h>

namespace skald::plugin::llm {
namespace {

using nlohmann::json;

JudgedCalls judged(const json& tools, std::vector<ToolCall> calls, const json& inputs = json::object()) {
  return judge(read_tools(tools), calls, inputs, Redaction(redaction_rules(nullptr)));
}

TEST(Tools, AreNamedByTheirActivity) {
  const json offer = offered(read_tools({{{"activity", "erp.order"}}, {{"activity", "a.b"}, {"name", "look"}}}));
  EXPECT_EQ(offer[0]["function"]["name"], "erp_order");
  EXPECT_EQ(offer[1]["function"]["name"], "look");
  EXPECT_EQ(offer[0]["function"]["parameters"]["additionalProperties"], false);
}

TEST(Tools, OfTheSameNameAreRefused) {
  EXPECT_THROW(read_tools({{{"activity", "a.b"}}, {{"activity", "a_b"}}}), std::invalid_argument);
}

TEST(Tools, ABoundArgumentIsNotInTheSchema) {
  EXPECT_THROW(read_tools({{{"activity", "a"},
                            {"input", {{"properties", {{"id", json::object()}}}}},
                            {"bound", {{"id", "inputs.id"}}}}}),
               std::invalid_argument);
}

TEST(Judge, AnActivitysNameIsNotAToolsName) {
  const auto out = judged({{{"activity", "erp.order"}}}, {{"1", "erp.order", "{}"}});
  EXPECT_TRUE(out.allowed.empty());
  EXPECT_EQ(out.refused[0].why, "there is no such tool");
}

TEST(Judge, CallsWithoutIdsOrWithTheSameGetTheirOwn) {
  const auto out = judged({{{"activity", "a"}}}, {{"", "a", ""}, {"x", "a", "{}"}, {"x", "a", "{}"}});
  ASSERT_EQ(out.allowed.size(), 3u);
  EXPECT_NE(out.allowed[0]["id"], "");
  EXPECT_EQ(out.allowed[1]["id"], "x");
  EXPECT_NE(out.allowed[2]["id"], "x");
}

TEST(Judge, AModelThatSaysWhatIsBoundAnywayIsNotOverruled) {
  const json tools = {{{"activity", "a"}, {"bound", {{"id", "inputs.id"}}}}};
  const auto same = judged(tools, {{"1", "a", "{\"id\": 7}"}}, {{"id", 7}});
  EXPECT_TRUE(same.overruled.empty());
  const auto other = judged(tools, {{"1", "a", "{\"id\": 8}"}}, {{"id", 7}});
  EXPECT_EQ(other.overruled.size(), 1u);
  EXPECT_EQ(other.allowed[0]["input"], json({{"id", 7}}));
}

TEST(Judge, TooManyCallsAtOnceAreRefused) {
  std::vector<ToolCall> calls;
  for (int i = 0; i < 20; ++i) calls.push_back({std::to_string(i), "a", "{}"});
  const auto out = judged({{{"activity", "a"}}}, calls);
  EXPECT_EQ(out.allowed.size(), 16u);
  EXPECT_EQ(out.refused.size(), 4u);
}

}  // namespace
}  // namespace skald::plugin::llm
