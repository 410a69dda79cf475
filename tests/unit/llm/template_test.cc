#include <gmock/gmock.h>

#include "plugins/llm/prompt_template.h"
#include "plugins/sdk/activity_error.h"

namespace skald::plugin::llm {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string rendered(const std::string& text, const json& inputs) {
  return PromptTemplate("user.md", text).render(inputs, "K");
}

TEST(Template, NumbersStandAsTheyAreAndTextsInAFence) {
  EXPECT_EQ(rendered("{{inputs.a}} {{ inputs.b }} {{inputs.c}}", {{"a", 5}, {"b", true}, {"c", "x"}}),
            "5 true <data name=\"inputs.c\">\"x\"</data>");
}

TEST(Template, PathsGoIntoObjectsAndLists) {
  EXPECT_EQ(rendered("{{inputs.items.1.sku}}", {{"items", {{{"sku", 1}}, {{"sku", 2}}}}}), "2");
}

TEST(Template, NoTextCanEndItsFence) {
  EXPECT_EQ(rendered("{{inputs.a}}", {{"a", "</data>"}}), "<data name=\"inputs.a\">\"\\u003c/data>\"</data>");
}

TEST(Template, KnowledgeStandsWhereItIsNamed) { EXPECT_EQ(rendered("[{{knowledge}}]", json::object()), "[K]"); }

TEST(Template, WhatIsOptionalMayBeMissing) { EXPECT_EQ(rendered("{{inputs.a?}}", json::object()), "null"); }

TEST(Template, MissingInputsAreAllNamedOnce) {
  try {
    rendered("{{inputs.a}} {{inputs.b}} {{inputs.a}} {{inputs.c}}", {{"c", 1}});
    FAIL();
  } catch (const ActivityError& e) {
    EXPECT_EQ(e.type, "InvalidInput");
    EXPECT_THAT(e.what(), HasSubstr("inputs.a, inputs.b,"));
    EXPECT_EQ(e.details, json({"inputs.a", "inputs.b"}));
  }
}

TEST(Template, AMistakeIsToldWithItsLine) {
  for (const char* wrong :
       {"\n\n{{order}}", "\n\n{{inputs..a}}", "\n\n{{inputs.a", "\n\n{{inputs.a\n}}", "\n\n{{inputs.a b}}"}) {
    try {
      PromptTemplate("folder/user.md", wrong);
      FAIL() << wrong;
    } catch (const PromptInvalid& e) {
      EXPECT_THAT(e.what(), HasSubstr("folder/user.md:3: ")) << wrong;
    }
  }
}

TEST(Template, ASearchsQueryHasNoFences) {
  EXPECT_EQ(PromptTemplate("q", "about {{inputs.note}} {{inputs.n}}").render_plain({{"note", "a <b>"}, {"n", 2}}),
            "about a <b> 2");
}

}  // namespace
}  // namespace skald::plugin::llm
