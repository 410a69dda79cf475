#include "tests/unit/lua/assisted_order_fixture.h"
#include "tests/unit/lua/delivered_workflows.h"

namespace skald::lua::testing {
namespace {

using ::testing::Contains;
using ::testing::Not;

// The agent's loop, with the risk agent and its one tool.
class AgentToolsTest : public AssistedOrderTest {
 protected:
  static json call(const std::string& id, const std::string& activity) {
    return {{"id", id}, {"activity", activity}, {"input", {{"order_id", "1"}}}};
  }
  // The model asks for these, and decides when it hears of them.
  void asks_for(const json& calls) {
    agent("risk", [calls](const json& input) {
      if (input.contains("continues"))
        return Outcome::result(decision("risk", {{"verdict", "approve"}, {"risk", 0.1}}, 0.9).dump());
      return Outcome::result(
          json({{"decision_id", "d-risk"}, {"conversation", "d-risk.1"}, {"tool_calls", calls}}).dump());
    });
  }
};

TEST_F(AgentToolsTest, RunsAToolAndGoesOnWithWhatItSaid) {
  asks_for(json::array({call("c1", "erp.order")}));
  answer("erp.order", json({{"state", "open"}}));
  EXPECT_EQ(run()["outcome"], "confirmed");
  EXPECT_EQ(heard_["erp.order"][0], json({{"order_id", "1"}}));
  const json again = heard_["llm.decide"][1];
  EXPECT_EQ(again["continues"], "d-risk.1");
  EXPECT_EQ(again["tool_results"], json({{{"id", "c1"}, {"result", {{"state", "open"}}}}}));
  EXPECT_EQ(again["inputs"], heard_["llm.decide"][0]["inputs"]) << "the same question";
}

TEST_F(AgentToolsTest, DoesNotRunWhatTheAgentHasNot) {
  asks_for(json::array({call("c1", "payment.refund"), call("c2", "erp.order")}));
  answer("erp.order", json({{"state", "open"}}));
  EXPECT_EQ(run()["outcome"], "confirmed");
  EXPECT_FALSE(did("payment.refund"));
  EXPECT_EQ(heard_["llm.decide"][1]["tool_results"], json({{{"id", "c1"}, {"error", "there is no such tool"}},
                                                           {{"id", "c2"}, {"result", {{"state", "open"}}}}}));
}

TEST_F(AgentToolsTest, TellsTheModelOfAToolThatFails) {
  asks_for(json::array({call("c1", "erp.order")}));
  fails("erp.order", "OrderNotFound");
  EXPECT_EQ(run()["outcome"], "confirmed");
  EXPECT_EQ(heard_["llm.decide"][1]["tool_results"][0]["error"], "OrderNotFound: no");
}

TEST_F(AgentToolsTest, EndsAModelThatNeverDecides) {
  answer("erp.order", json({{"state", "open"}}));
  agent("risk", [](const json&) {
    return Outcome::result(json({{"decision_id", "d-risk"},
                                 {"conversation", "more"},
                                 {"tool_calls", json::array({call("c", "erp.order")})}})
                               .dump());
  });
  const json result = run({{"total", 4000}});
  EXPECT_EQ(result["outcome"], "confirmed") << "the rule decides";
  EXPECT_EQ(result["decisions"][0]["source"], "rule");
  EXPECT_EQ(times("erp.order"), 9);
}

TEST_F(AgentToolsTest, CancelReachesARunningTool) {
  asks_for(json::array({call("c1", "erp.order")}));
  answer("erp.order", [](const json&) { return Outcome::silence(); });
  driver_.after(absl::Seconds(2), [&] { driver_.signal("cancel", {}); });
  const json result = run();
  EXPECT_EQ(result["outcome"], "cancelled") << result;
  EXPECT_EQ(times("llm.decide"), 1);
  EXPECT_THAT(driver_.commands(), Not(Contains("activity payment.charge")));
}

// An agent of somebody else's, without a desk.
class OwnAgentTest : public ::testing::Test {
 protected:
  json decide(const std::string& more, const json& output) {
    HistoryDriver driver(R"(local agent = require "agent"
      return function()
        return agent.decide { agent = "packing", about = "1", prompt = "packing", inputs = {}, rule = { output = { box = "large" } },
          check = function(output) if output.box == "none" then return "there is no such box" end end, )" +
                             more + "} end",
                         {}, delivered_modules());
    driver.on_activity("llm.decide", [&](const auto&) {
      return Outcome::result(
          json({{"decision_id", "d"}, {"output", output}, {"confidence", 1}, {"source", "model"}}).dump());
    });
    driver.on_activity("llm.confirm", [&](const auto& arguments) {
      confirmed_ = json::parse(arguments.at(0));
      return Outcome::result("{}");
    });
    driver.start();
    driver.run();
    EXPECT_EQ(driver.status(), "completed") << driver.task_failure_text();
    for (const auto& event : driver.history().events()) {
      const auto& scheduled = event.activity_task_scheduled_event_attributes();
      if (scheduled.activity_type().name() == "llm.decide") seconds_ = scheduled.start_to_close_timeout().seconds();
    }
    return json::parse(driver.result());
  }

  json confirmed_;
  int64_t seconds_ = 0;
};

TEST_F(OwnAgentTest, BookHearsAtOnceThatTheRuleReplacedAnAnswer) {
  const json decision = decide("", {{"box", "none"}});
  EXPECT_EQ(decision["output"], json({{"box", "large"}}));
  EXPECT_EQ(decision["source"], "rule");
  EXPECT_EQ(confirmed_, json({{"decision_id", "d"},
                              {"verdict", "changed"},
                              {"by", "rule"},
                              {"reason", "there is no such box"},
                              {"output", {{"box", "large"}}}}));
}

TEST_F(OwnAgentTest, ModelHasTheTimeThatTheAgentGivesIt) {
  EXPECT_EQ(decide("timeout_ms = 40000", {{"box", "small"}})["output"]["box"], "small");
  EXPECT_EQ(seconds_, 45);
  EXPECT_TRUE(confirmed_.is_null());
}

}  // namespace
}  // namespace skald::lua::testing
