#include "plugins/llm/knowledge.h"

#include "tests/unit/llm/llm_fixture.h"

namespace skald::plugins {
namespace {

class KnowledgeTest : public LlmTest {
 protected:
  Task learn(const std::string& document, const std::string& text) {
    return task(
        "learn",
        {{"document", document}, {"title", "About " + document}, {"source", "book/" + document}, {"text", text}});
  }
  json search(const std::string& query, int top = 3) {
    return result(task("search", {{"query", query}, {"top", top}}))["passages"];
  }
  void teach() {
    result(learn("returns", "Goods may be sent back within thirty days of delivery."));
    result(learn("carriers", "Parcels to islands travel by ship and take a week."));
    result(learn("payments", "Card payments above a limit are shown to a person."));
  }
};

TEST_F(KnowledgeTest, TheNearestPassagesComeFirstWithTheirSource) {
  start_host();
  teach();
  const json found = search("how many days may goods be sent back", 2);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0]["document"], "returns");
  EXPECT_EQ(found[0]["title"], "About returns");
  EXPECT_EQ(found[0]["source"], "book/returns");
  EXPECT_EQ(found[0]["text"], "Goods may be sent back within thirty days of delivery.");
  EXPECT_GT(found[0]["score"], found[1]["score"]);
}

TEST_F(KnowledgeTest, TheSameTextIsLearntOnce) {
  start_host();
  EXPECT_TRUE(result(learn("returns", "thirty days"))["changed"].get<bool>());
  const size_t asked = requests().size();
  EXPECT_FALSE(result(learn("returns", "thirty days"))["changed"].get<bool>());
  EXPECT_EQ(requests().size(), asked);
}

TEST_F(KnowledgeTest, AChangedDocumentReplacesWhatWasThere) {
  start_host();
  result(learn("returns", "thirty days"));
  EXPECT_TRUE(result(learn("returns", "sixty days"))["changed"].get<bool>());
  const json found = search("days");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0]["text"], "sixty days");
}

TEST_F(KnowledgeTest, ForgottenDocumentsAreNotFound) {
  start_host();
  teach();
  EXPECT_TRUE(result(task("forget", {{"document", "returns"}}))["forgotten"].get<bool>());
  EXPECT_FALSE(result(task("forget", {{"document", "returns"}}))["forgotten"].get<bool>());
  for (const json& passage : search("goods sent back")) EXPECT_NE(passage["document"], "returns");
}

TEST_F(KnowledgeTest, IsThereAfterARestart) {
  start_host();
  teach();
  const json before = search("ship");
  start_host();
  EXPECT_EQ(search("ship"), before);
}

TEST_F(KnowledgeTest, BelongsToTheNamespaceThatLearntIt) {
  start_host();
  teach();
  Task other = task("search", {{"query", "ship"}});
  other.ns = "other";
  EXPECT_TRUE(result(other)["passages"].empty());
}

TEST_F(KnowledgeTest, LongTextsAreEmbeddedInBatches) {
  start_host({{"chunk_bytes", 100}, {"chunk_overlap", 20}, {"embedding_batch", 4}});
  std::string text;
  for (int i = 0; i < 60; ++i) text += "Sentence number " + std::to_string(i) + " is here. ";
  const json learnt = result(learn("long", text));
  const size_t chunks = learnt["chunks"];
  EXPECT_GT(chunks, 10u);
  EXPECT_EQ(requests().size(), (chunks + 3) / 4);
  EXPECT_EQ(search("Sentence number 42", 50).size(), std::min<size_t>(chunks, 50));
}

TEST_F(KnowledgeTest, ADecisionIsShownPassagesAsDataAndKeepsItsSources) {
  json sheet = risk_sheet();
  sheet["knowledge"] = {{"query", "{{inputs.order.note}}"}, {"top", 1}};
  write_prompt("risk", 1, sheet, "The order: {{inputs.order}}\nOur rules: {{knowledge}}");
  answer_always(approval().dump());
  start_host();
  teach();
  const json decision = result(decide({{"inputs", {{"order", {{"note", "may I send the goods back in ten days?"}}}}}}));
  ASSERT_EQ(decision["sources"].size(), 1u);
  EXPECT_EQ(decision["sources"][0]["document"], "returns");
  EXPECT_EQ(decision["sources"][0]["source"], "book/returns");
  EXPECT_FALSE(decision["sources"][0].contains("text"));
  const std::string user = chats().at(0)["messages"][1]["content"];
  EXPECT_NE(user.find("<data name=\"knowledge.1\">"), std::string::npos) << user;
  EXPECT_NE(user.find("thirty days"), std::string::npos) << user;
  EXPECT_EQ(result(task("decision", {{"decision_id", decision["decision_id"]}}))["sources"], decision["sources"]);
}

TEST_F(KnowledgeTest, ADecisionMayNameWhatIsSearchedFor) {
  answer_always(approval().dump());
  start_host();
  teach();
  const json decision = result(decide({{"knowledge", {{"query", "parcels to islands by ship"}, {"top", 1}}}}));
  ASSERT_EQ(decision["sources"].size(), 1u);
  EXPECT_EQ(decision["sources"][0]["document"], "carriers");
  EXPECT_NE(chats().at(0)["messages"][1]["content"].get<std::string>().find("take a week"), std::string::npos);
}

TEST_F(KnowledgeTest, ACachedAnswerDoesNotOutliveAChangeOfTheKnowledge) {
  json sheet = risk_sheet();
  sheet["knowledge"] = {{"query", "{{inputs.order.note}}"}};
  sheet["cache_seconds"] = 3600;
  write_prompt("risk", 1, sheet, "The order: {{inputs.order}}");
  answer_always(approval().dump());
  start_host();
  teach();
  const json first = result(decide()), second = result(decide({}, "w2"));
  EXPECT_EQ(second["source"], "cache");
  EXPECT_EQ(second["sources"], first["sources"]);
  EXPECT_FALSE(second["sources"].empty());
  result(learn("returns", "within sixty days"));
  EXPECT_EQ(result(decide({}, "w3"))["source"], "model");
}

// Two processes on the same tables.
TEST(Shelves, SeeWhatAnotherProcessHasWritten) {
  namespace llm = plugin::llm;
  const auto db = TestStore::open(TestStore::data_path(testing::TempDir() + "skald-shelves", "books"));
  llm::Knowledge::create_tables(*db);
  llm::Knowledge ours;
  EXPECT_EQ(ours.refresh(*db, "default"), 0);
  const llm::Document document{"default", "returns", "Returns", "book", "hash", "model"};
  llm::Knowledge::learn(*db, document, {"one", "two"}, {{1, 0}, {0, 1}});  // theirs
  EXPECT_TRUE(ours.search("default", "model", {1, 0}, 3, 0.5).empty());
  const int64_t revision = ours.refresh(*db, "default");
  const auto found = ours.search("default", "model", {2, 0}, 3, 0.5);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].text, "one");
  EXPECT_DOUBLE_EQ(found[0].score, 1);
  EXPECT_TRUE(ours.search("default", "another model", {1, 0}, 3, 0.5).empty());
  llm::Knowledge::forget(*db, "default", "returns");
  EXPECT_GT(ours.refresh(*db, "default"), revision);
  EXPECT_TRUE(ours.search("default", "model", {1, 0}, 3, -1).empty());
}

TEST(Embeddings, AreKeptAsTheyAre) {
  for (size_t size : {1, 2, 3, 4, 255, 256}) {
    plugin::llm::Embedding embedding;
    for (size_t i = 0; i < size; ++i) embedding.push_back(static_cast<float>(i) * 0.1f - 3);
    EXPECT_EQ(plugin::llm::unpacked(plugin::llm::packed(embedding)), embedding);
  }
}

}  // namespace
}  // namespace skald::plugins
