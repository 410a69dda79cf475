#include <algorithm>

#include "tests/unit/llm/llm_fixture.h"

namespace skald::plugins {
namespace {

class DecisionsTest : public LlmTest {
 protected:
  DecisionsTest() { answer_always(approval().dump()); }

  std::string decided(const json& more = json::object(), const std::string& workflow = "w1") {
    return result(decide(more, workflow))["decision_id"];
  }
  json list(const json& input) { return result(task("decisions", input)); }
};

TEST_F(DecisionsTest, ARecordTellsAllThatLedToIt) {
  start_host();
  const std::string id = decided();
  const json record = result(task("decision", {{"decision_id", id}}));
  EXPECT_EQ(record["status"], "decided");
  EXPECT_EQ(record["agent"], "risk");
  EXPECT_EQ(record["about"], "17");
  EXPECT_EQ(record["workflow_id"], "w1");
  EXPECT_EQ(record["run_id"], "run-of-w1");
  EXPECT_EQ(record["namespace"], "default");
  EXPECT_EQ(record["prompt"], "risk");
  EXPECT_EQ(record["inputs_hash"].get<std::string>().size(), 64u);
  EXPECT_EQ(record["requests"], 1);
  EXPECT_EQ(record["sent"].size(), 3u);  // with the answer
  EXPECT_NE(record["sent"][1]["content"].get<std::string>().find("please hurry"), std::string::npos);
  EXPECT_EQ(record["created_at"].get<std::string>().size(), std::string("2030-01-31T08:15:00.250Z").size());
}

TEST_F(DecisionsTest, APersonConfirms) {
  start_host();
  const std::string id = decided();
  EXPECT_EQ(result(task("await_person", {{"decision_id", id}}))["status"], "open");
  EXPECT_EQ(list({{"status", "open"}})["decisions"][0]["decision_id"], id);
  const Task confirm =
      task("confirm", {{"decision_id", id}, {"verdict", "approved"}, {"by", "Bea"}, {"reason", "I know the customer"}});
  const json confirmed = result(confirm);
  EXPECT_EQ(confirmed["status"], "confirmed");
  EXPECT_EQ(confirmed["output"]["verdict"], "approve");
  EXPECT_EQ(result(confirm), confirmed);
  const json record = result(task("decision", {{"decision_id", id}}));
  EXPECT_EQ(record["confirmed"]["by"], "Bea");
  EXPECT_EQ(record["confirmed"]["reason"], "I know the customer");
  EXPECT_FALSE(record["confirmed"]["at"].get<std::string>().empty());
  EXPECT_TRUE(list({{"status", "open"}})["decisions"].empty());
  EXPECT_EQ(result(task("await_person", {{"decision_id", id}}))["status"], "confirmed");
}

TEST_F(DecisionsTest, WhoComesSecondIsTold) {
  start_host();
  const std::string id = decided();
  result(task("confirm", {{"decision_id", id}, {"verdict", "approved"}, {"by", "Bea"}}));
  EXPECT_EQ(error(task("confirm", {{"decision_id", id}, {"verdict", "rejected"}, {"by", "Carl"}})), "AlreadyConfirmed");
}

TEST_F(DecisionsTest, AChangedOutputMustFitTheSchema) {
  start_host();
  const std::string id = decided();
  json input = {{"decision_id", id}, {"verdict", "changed"}, {"by", "Bea"}};
  EXPECT_EQ(error(task("confirm", input)), "InvalidInput");
  input["output"] = {{"verdict", "perhaps"}};
  EXPECT_EQ(error(task("confirm", input)), "InvalidInput");
  input["output"] = {{"verdict", "reject"}};
  EXPECT_EQ(result(task("confirm", input))["output"]["verdict"], "reject");
  EXPECT_EQ(result(decide())["output"]["verdict"], "approve");  // what the model said stays
}

TEST_F(DecisionsTest, PagesComeNewestFirst) {
  start_host();
  std::vector<std::string> ids;
  for (const char* about : {"1", "2", "3", "4", "5"}) ids.push_back(decided({{"about", about}}));
  std::vector<std::string> seen;
  json page = list({{"limit", 2}});
  for (int pages = 1;; ++pages) {
    for (const json& decision : page["decisions"]) seen.push_back(decision["decision_id"]);
    if (page["next"].is_null()) {
      EXPECT_EQ(pages, 3);
      break;
    }
    page = list({{"limit", 2}, {"after", page["next"]}});
  }
  std::sort(ids.begin(), ids.end());
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, ids);
}

TEST_F(DecisionsTest, AreFoundBySubjectAgentAndStatus) {
  start_host();
  const std::string first = decided({{"about", "1"}}), second = decided({{"about", "2"}, {"agent", "dispatch"}});
  EXPECT_EQ(list({{"about", "1"}})["decisions"][0]["decision_id"], first);
  EXPECT_EQ(list({{"agent", "dispatch"}})["decisions"][0]["decision_id"], second);
  EXPECT_EQ(list({{"about", "1"}, {"agent", "dispatch"}})["decisions"].size(), 0u);
  EXPECT_EQ(list({{"status", "decided"}})["decisions"].size(), 2u);
  EXPECT_EQ(list({{"status", "open"}, {"agent", "risk"}})["decisions"].size(), 0u);
}

TEST_F(DecisionsTest, OtherNamespacesSeeNothingOfThem) {
  start_host();
  const std::string id = decided();
  Task other = task("decision", {{"decision_id", id}});
  other.ns = "other";
  EXPECT_EQ(error(other), "DecisionNotFound");
  other = task("decisions", json::object());
  other.ns = "other";
  EXPECT_TRUE(result(other)["decisions"].empty());
  other = task("confirm", {{"decision_id", id}, {"verdict", "approved"}, {"by", "Eve"}});
  other.ns = "other";
  EXPECT_EQ(error(other), "DecisionNotFound");
}

}  // namespace
}  // namespace skald::plugins
