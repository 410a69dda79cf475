#include "plugins/llm/structured_output.h"

#include <gmock/gmock.h>

namespace skald::plugin::llm {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(FindJson, InWhateverWrapping) {
  const json value = {{"a", 1}};
  for (const char* text : {"{\"a\":1}", "  {\"a\": 1}\n", "```json\n{\"a\":1}\n```", "```\n{\"a\":1}\n```",
                           "Sure:\n```json\n{\"a\":1}", "The answer is {\"a\":1}. Anything else?"})
    EXPECT_EQ(find_json(text), value) << text;
}

TEST(FindJson, IsNotThereIfItIsBroken) {
  for (const char* text : {"", "no", "{\"a\":", "```json\n{\"a\":\n```", "} {"})
    EXPECT_EQ(find_json(text), std::nullopt) << text;
}

TEST(DecisionSchema, NeedsConfidenceAndExplanation) {
  const AnswerForm form(decision_schema({{"properties", {{"v", {{"type", "integer"}}}}}, {"required", {"v"}}}));
  EXPECT_EQ(form.problems({{"v", 1}, {"confidence", 0.5}, {"explanation", "x"}}), "");
  EXPECT_THAT(form.problems({{"v", 1}, {"explanation", "x"}}), HasSubstr("confidence"));
  EXPECT_THAT(form.problems({{"v", 1}, {"confidence", 1.5}, {"explanation", "x"}}), HasSubstr("/confidence"));
  EXPECT_THAT(form.problems({{"v", 1}, {"confidence", 1}, {"explanation", ""}}), HasSubstr("/explanation"));
  EXPECT_NE(form.problems({{"v", 1}, {"confidence", 1}, {"explanation", "x"}, {"more", 1}}), "");
}

TEST(DecisionSchema, MustBeAnObjects) {
  EXPECT_THROW(decision_schema({{"type", "array"}}), std::invalid_argument);
  EXPECT_THROW(decision_schema(json::array()), std::invalid_argument);
}

}  // namespace
}  // namespace skald::plugin::llm
