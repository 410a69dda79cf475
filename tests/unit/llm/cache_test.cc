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

// Whatever shapes the answer: each of these asks another question.
TEST_F(CacheTest, NothingThatShapesTheAnswerIsLeftOutOfTheKey) {
  json sheet = risk_sheet();
  sheet["cache_seconds"] = 3600;
  sheet.erase("max_tokens");  // the configuration's then
  sheet["knowledge"] = {{"query", "{{inputs.order.id}}"}, {"top", 2}};
  write_prompt("risk", 1, sheet, "The order: {{inputs.order}}");
  const json configured = {{"embedding_model", "embed-1"}};
  start_host(configured);
  for (int i = 0; i < 5; ++i) {
    const std::string number = std::to_string(i);
    result(task("learn", {{"document", number}, {"title", number}, {"source", number}, {"text", "text " + number}}));
  }
  int workflow = 0;
  const auto source = [&](const json& more = json::object()) {
    return result(decide(more, "w" + std::to_string(++workflow)))["source"];
  };
  const json questions[] = {
      json::object(),
      {{"inputs", {{"order", {{"id", "18"}}}}}},
      {{"knowledge", {{"query", "returns"}}}},
      {{"knowledge", {{"query", "shipping"}}}},
      {{"knowledge", {{"query", "returns"}, {"top", 1}}}},
      {{"knowledge", {{"query", "returns"}, {"top", 5}}}},
  };
  for (const json& question : questions) EXPECT_EQ(source(question), "model") << question;
  for (const json& question : questions) EXPECT_EQ(source(question), "cache") << question;
  // And what the configuration says.
  const json configurations[] = {
      {{"embedding_model", "embed-1"}, {"model", "another"}},
      {{"embedding_model", "embed-2"}},
      {{"embedding_model", "embed-1"}, {"max_tokens", 17}},
      {{"embedding_model", "embed-1"}, {"redact", {{"fields", {"source"}}}}},
  };
  for (const json& config : configurations) {
    start_host(config);
    EXPECT_EQ(source(), "model") << config;
    EXPECT_EQ(source(), "cache") << config;
  }
  start_host(configured);
  EXPECT_EQ(source(), "cache");
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
