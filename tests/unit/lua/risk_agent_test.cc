#include "tests/unit/lua/assisted_order_fixture.h"
#include "tests/unit/lua/delivered_workflows.h"

namespace skald::lua::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class RiskAgentTest : public AssistedOrderTest {
 protected:
  void doubts() { decides("risk", {{"verdict", "review"}, {"risk", 0.6}}, 0.9); }
  void expect_unpaid(const json& result, const std::string& outcome) {
    EXPECT_EQ(result["outcome"], outcome) << result;
    EXPECT_EQ(result["compensations"], json::array({"release"}));
    EXPECT_FALSE(did("payment.charge"));
    EXPECT_EQ(last("erp.push_outcome")["outcome"], outcome);
  }
};

TEST_F(RiskAgentTest, ApprovesAnOrdinaryOrderWithoutAPerson) {
  const json result = run();
  EXPECT_EQ(result["outcome"], "confirmed") << result;
  EXPECT_FALSE(did("llm.await_person"));
  EXPECT_EQ(result["decisions"][0]["agent"], "risk");
  EXPECT_EQ(result["decisions"][0]["outcome"], "approved");
  EXPECT_EQ(result["decisions"][0]["by"], "agent");
}

TEST_F(RiskAgentTest, RejectsWhatIsBeyondDoubtWithoutAPerson) {
  decides("risk", {{"verdict", "reject"}, {"risk", 0.95}}, 0.9);
  const json result = run();
  expect_unpaid(result, "rejected");
  EXPECT_EQ(result["reason"], "RiskRejected: agent: so it seems");
  EXPECT_FALSE(did("llm.await_person"));
}

TEST_F(RiskAgentTest, PersonApprovesWhatTheModelDoubts) {
  doubts();
  person_says("risk", "approved");
  const json result = run();
  EXPECT_EQ(result["outcome"], "confirmed") << result;
  EXPECT_EQ(heard_["llm.await_person"][0], json({{"decision_id", "d-risk"}}));
  EXPECT_EQ(heard_["llm.confirm"][0],
            json({{"decision_id", "d-risk"}, {"verdict", "approved"}, {"by", "ida"}, {"reason", "I know them"}}));
  EXPECT_EQ(result["decisions"][0]["by"], "ida");
}

TEST_F(RiskAgentTest, PersonRejectsWhatTheModelDoubts) {
  doubts();
  person_says("risk", "rejected");
  const json result = run();
  expect_unpaid(result, "rejected");
  EXPECT_EQ(result["reason"], "RiskRejected: ida: I know them");
}

TEST_F(RiskAgentTest, AsksAPersonAlsoWhenTheModelIsUnsureOrContradictsItself) {
  for (const auto& [output, confidence] :
       std::vector<std::pair<json, double>>{{{{"verdict", "approve"}, {"risk", 0.1}}, 0.5},
                                            {{{"verdict", "approve"}, {"risk", 0.8}}, 0.9},
                                            {{{"verdict", "reject"}, {"risk", 0.3}}, 0.9}}) {
    HistoryDriver driver(delivered_workflow("assisted_order"), {}, delivered_modules());
    bool asked = false;
    driver.on_activity("inventory.reserve", [](const auto&) { return Outcome::result("{}"); });
    driver.on_activity("llm.decide",
                       [&](const auto&) { return Outcome::result(decision("risk", output, confidence).dump()); });
    driver.on_activity("llm.await_person", [&](const auto&) { return asked = true, Outcome::result("{}"); });
    driver.start(
        {R"({"order_id":"1","items":[],"total":1,"decide_within":"1s","escalate_within":"1s","delivery_within":0})"});
    driver.run();
    EXPECT_TRUE(asked) << output << driver.task_failure_text();
  }
}

TEST_F(RiskAgentTest, StatusTellsTheOpenQuestionAndWhoIsAsked) {
  doubts();
  json before, after;
  later(absl::Minutes(10), [&] {
    before = status();
    driver_.after(absl::Minutes(30), [&] {
      after = status();
      say("risk", "approved", "head");
    });
  });
  EXPECT_EQ(run()["outcome"], "confirmed");
  EXPECT_EQ(before["state"], "assessing");
  EXPECT_EQ(before["open_decision"]["asked"], "risk desk");
  EXPECT_EQ(before["open_decision"]["escalated"], false);
  EXPECT_EQ(before["open_decision"]["decision_id"], "d-risk");
  EXPECT_THAT(before["open_decision"]["question"].get<std::string>(),
              HasSubstr("May order 1 over 800.00 EUR be paid?"));
  EXPECT_EQ(after["open_decision"]["asked"], "head of payments") << "nobody answered in half an hour";
  EXPECT_EQ(after["open_decision"]["escalated"], true);
  EXPECT_FALSE(status().contains("open_decision"));
}

TEST_F(RiskAgentTest, RuleHasTheLastWordWhenNobodyAnswers) {
  doubts();
  const json result = run({{"decide_within", "1m"}, {"escalate_within", "2m"}});
  expect_unpaid(result, "rejected");
  EXPECT_EQ(last("llm.confirm")["by"], "rule");
  EXPECT_EQ(last("llm.confirm")["reason"], "nobody decided in time: the total is not small");
  EXPECT_THAT(driver_.commands(), Contains("timer 1m"));
  EXPECT_THAT(driver_.commands(), Contains("timer 2m"));
}

TEST_F(RiskAgentTest, RuleApprovesASmallOrderThatNobodyLookedAt) {
  doubts();
  const json result = run({{"total", 4000}});
  EXPECT_EQ(result["outcome"], "confirmed") << result;
  EXPECT_EQ(result["decisions"][0]["by"], "rule");
}

TEST_F(RiskAgentTest, WithoutAModelTheRuleApprovesWhatIsSmall) {
  agent("risk", [](const json&) { return Outcome::refusal("LlmNotConfigured"); });
  const json result = run({{"total", 4000}});
  EXPECT_EQ(result["outcome"], "confirmed") << result;
  EXPECT_EQ(result["decisions"][0]["source"], "rule");
  EXPECT_EQ(result["decisions"][0]["reason"], "The total is small.");
  EXPECT_FALSE(did("llm.await_person"));
}

TEST_F(RiskAgentTest, WithoutAModelAPersonLooksAtWhatIsNotSmall) {
  decides("risk", {{"verdict", "review"}, {"risk", 0.6}}, 1, "rule");
  person_says("risk", "approved");
  EXPECT_EQ(run()["outcome"], "confirmed");
  EXPECT_EQ(heard_["llm.decide"][0]["fallback"]["output"], json({{"verdict", "review"}, {"risk", 0.6}}));
}

TEST_F(RiskAgentTest, WhatTheBookDoesNotHaveIsAPersonsToDecideAllTheSame) {
  agent("risk", [](const json&) { return Outcome::timeout(); });
  driver_.after(absl::Minutes(10), [&] {
    EXPECT_EQ(status()["open_decision"]["decision_id"], "unrecorded-risk");
    driver_.signal("decide", {R"({"decision_id":"unrecorded-risk","verdict":"approved","by":"ida"})"});
  });
  EXPECT_EQ(run()["outcome"], "confirmed");
  EXPECT_FALSE(did("llm.await_person"));
}

TEST_F(RiskAgentTest, OnlyTheFirstAnswerCountsAndOnlyAWholeOne) {
  doubts();
  later(absl::Minutes(1), [&] {
    driver_.signal("decide", {R"("yes")"});
    driver_.signal("decide", {R"({"decision_id":"d-risk","verdict":"perhaps","by":"ida"})"});
    driver_.signal("decide", {R"({"decision_id":"d-risk","verdict":"approved"})"});
    driver_.signal("decide", {R"({"decision_id":"d-risk","verdict":"approved","by":"ida","reason":{}})"});
    driver_.signal("decide", {R"({"decision_id":"d-other","verdict":"approved","by":"ida"})"});
    driver_.after(absl::Minutes(1), [&] { say("risk", "rejected"), say("risk", "approved"); });
  });
  expect_unpaid(run(), "rejected");
}

TEST_F(RiskAgentTest, CustomerCancelsWhileAPersonIsAsked) {
  doubts();
  later(absl::Minutes(1), [&] { driver_.signal("cancel", {R"("changed my mind")"}); });
  expect_unpaid(run(), "cancelled");
  EXPECT_EQ(last("llm.confirm")["by"], "workflow") << "nobody needs to decide any more";
  EXPECT_EQ(last("llm.confirm")["verdict"], "rejected");
}

TEST_F(RiskAgentTest, WorkflowIsCancelledWhileAPersonIsAsked) {
  doubts();
  later(absl::Minutes(1), [&] { driver_.request_cancel(); });
  expect_unpaid(run(), "cancelled");
  EXPECT_EQ(last("llm.confirm")["by"], "workflow");
}

TEST_F(RiskAgentTest, ResetWorkflowTakesWhatSomebodyHasSaidAlready) {
  doubts();
  answer("llm.await_person", json({{"decision_id", "d-risk"}, {"status", "confirmed"}}));
  answer("llm.decision", json({{"confirmed", {{"verdict", "approved"}, {"by", "ida"}, {"reason", "known"}}}}));
  const json result = run();
  EXPECT_EQ(result["outcome"], "confirmed") << result;
  EXPECT_EQ(result["decisions"][0]["by"], "ida");
  EXPECT_FALSE(did("llm.confirm"));
}

TEST_F(RiskAgentTest, BookThatRefusesANoteHoldsNothingUp) {
  doubts();
  fails("llm.confirm", "AlreadyConfirmed");
  person_says("risk", "approved");
  EXPECT_EQ(run()["outcome"], "confirmed");
}

TEST_F(RiskAgentTest, ModelSeesTheOrderAndNothingElse) {
  run({{"note", "quick, please"}, {"customer", {{"previous_orders", 3}}}, {"sandbox", {{"quote", "fail"}}}});
  const json asked = heard_["llm.decide"][0];
  EXPECT_EQ(asked["prompt"], "order_risk");
  EXPECT_EQ(asked["about"], "1");
  EXPECT_EQ(asked["inputs"], json({{"order",
                                    {{"id", "1"},
                                     {"total", 80000},
                                     {"currency", "EUR"},
                                     {"country", "NO"},
                                     {"items", {{{"sku", "A"}, {"quantity", 2}}}},
                                     {"note", "quick, please"}}},
                                   {"customer", {{"previous_orders", 3}}}}));
}

TEST_F(RiskAgentTest, TimeForPeopleThatIsNoneFailsTheOrder) {
  run({{"decide_within", "soon"}});
  EXPECT_EQ(driver_.status(), "failed");
  EXPECT_THAT(driver_.failure().message(), HasSubstr("decide_within must be a duration"));
}

}  // namespace
}  // namespace skald::lua::testing
