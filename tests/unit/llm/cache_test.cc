#include "plugins/llm/cache.h"

#include "tests/unit/llm/llm_fixture.h"

namespace skald::plugins {
namespace {

class CacheTest : public LlmTest {
 protected:
  CacheTest() {
    write_cached(3600);
    answer_always(approval("asked").dump());
  }
  void write_cached(int64_t seconds) {
    json sheet = risk_sheet();
    sheet["cache_seconds"] = seconds;
    write_prompt("risk", 1, sheet, "The order: {{inputs.order}}");
  }
};

TEST_F(CacheTest, TheSameInputsGetTheSameAnswerInAnotherWorkflow) {
  start_host();
  const json first = result(decide()), second = result(decide({}, "w2"));
  EXPECT_EQ(first["source"], "model");
  EXPECT_EQ(second["source"], "cache");
  EXPECT_EQ(second["output"], first["output"]);
  EXPECT_EQ(second["explanation"], first["explanation"]);
  EXPECT_NE(second["decision_id"], first["decision_id"]);
  EXPECT_EQ(second["tokens"]["prompt"], 0);
  EXPECT_EQ(chats().size(), 1u);
  EXPECT_EQ(result(task("decision", {{"decision_id", second["decision_id"]}}))["source"], "cache");
}

TEST_F(CacheTest, OtherInputsOrAnotherPromptAreAskedFor) {
  start_host();
  result(decide());
  EXPECT_EQ(result(decide({{"inputs", {{"order", {{"id", "18"}}}}}}, "w2"))["source"], "model");
  json sheet = risk_sheet();
  sheet["cache_seconds"] = 3600;
  write_prompt("risk", 2, sheet, "Another text: {{inputs.order}}");
  EXPECT_EQ(result(decide({{"version", 2}}, "w3"))["source"], "model");
}

TEST_F(CacheTest, PersonalDataIsThatOfTheCaller) {
  answer_always(approval("[NAME_1] is known").dump());
  start_host();
  const json inputs = {{"inputs", {{"order", {{"name", "Ann"}}}}}};
  EXPECT_EQ(result(decide(inputs))["explanation"], "Ann is known");
  EXPECT_EQ(result(decide(inputs, "w2"))["explanation"], "Ann is known");
  EXPECT_EQ(chats().size(), 1u);
}

TEST_F(CacheTest, NamespacesDoNotShareIt) {
  start_host();
  result(decide());
  Task other = decide();
  other.ns = "other";
  EXPECT_EQ(result(other)["source"], "model");
}

TEST(CachedAnswers, ExpireAfterTheirTime) {
  const auto db = TestStore::open(TestStore::data_path(testing::TempDir() + "skald-cached-answers", "books"));
  plugin::llm::create_cache_table(*db);
  plugin::llm::keep_cached(*db, "key", {{"a", 1}}, 1000, 10);
  EXPECT_EQ(plugin::llm::find_cached(*db, "key", 10999), json({{"a", 1}}));
  EXPECT_EQ(plugin::llm::find_cached(*db, "key", 11000), std::nullopt);
  plugin::llm::keep_cached(*db, "key", {{"a", 2}}, 11000, 10);
  EXPECT_EQ(plugin::llm::find_cached(*db, "key", 12000), json({{"a", 2}}));
  EXPECT_EQ(plugin::llm::find_cached(*db, "other", 12000), std::nullopt);
}

}  // namespace
}  // namespace skald::plugins
