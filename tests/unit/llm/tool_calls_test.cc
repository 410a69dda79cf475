#include "tests/unit/llm/llm_fixture.h"

namespace skald::plugins {
namespace {

class ToolCallTest : public LlmTest {
 protected:
  ToolCallTest() { write_prompt("risk", 1, sheet(), "The order: {{inputs.order}}"); }

  static json sheet() {
    json sheet = risk_sheet();
    sheet["tools"] = {{{"activity", "erp.order"},
                       {"description", "What the ERP has on the order."},
                       {"input", {{"properties", {{"years", {{"type", "integer"}, {"maximum", 5}}}}}}},
                       {"bound", {{"order_id", "inputs.order.id"}}}}};
    sheet["max_tool_rounds"] = 2;
    return sheet;
  }
  static json calls(const json& list) { return {{"when", {{"after_tool", false}}}, {"then", {{"tool_calls", list}}}}; }
  static json then_approval() { return {{"when", json::object()}, {"then", {{"output", approval("looked it up")}}}}; }
  Task answer(const json& turn, const json& results, const json& more = json::object()) const {
    json input = {{"continues", turn["conversation"]}, {"tool_results", results}};
    input.update(more);
    return decide(input);
  }
  json record(const json& decision) { return result(task("decision", {{"decision_id", decision["decision_id"]}})); }
};

TEST_F(ToolCallTest, ACallComesWithItsBoundArgumentsAndTheDecisionAfterItsResult) {
  script({calls({{{"name", "erp_order"}, {"arguments", {{"years", 2}}}}}), then_approval()});
  start_host();
  const json turn = result(decide());
  ASSERT_EQ(turn["tool_calls"].size(), 1u);
  EXPECT_EQ(turn["tool_calls"][0]["activity"], "erp.order");
  EXPECT_EQ(turn["tool_calls"][0]["input"], json({{"years", 2}, {"order_id", "17"}}));
  const json decision = result(answer(turn, {{{"id", turn["tool_calls"][0]["id"]}, {"result", {{"state", "new"}}}}}));
  EXPECT_EQ(decision["decision_id"], turn["decision_id"]);
  EXPECT_EQ(decision["explanation"], "looked it up");
  const auto asked = chats();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0]["tools"][0]["function"]["name"], "erp_order");
  EXPECT_FALSE(asked[0]["tools"][0]["function"]["parameters"]["properties"].contains("order_id"));
  const json& told = asked[1]["messages"].back();
  EXPECT_EQ(told["role"], "tool");
  EXPECT_EQ(told["content"], R"(<data name="tool_result">{"result":{"state":"new"}}</data>)");
}

TEST_F(ToolCallTest, ACallThatIsNotAllowedIsRefusedRecordedAndTold) {
  script({{{"times", 1},
           {"when", json::object()},
           {"then", {{"tool_calls", {{{"name", "payment_refund"}, {"arguments", {{"amount", 99999}}}}}}}}},
          then_approval()});
  start_host();
  const json decision = result(decide());
  EXPECT_EQ(decision["source"], "model");
  const json refusals = record(decision)["refusals"];
  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(refusals[0]["activity"], "payment_refund");
  EXPECT_EQ(refusals[0]["input"]["amount"], 99999);
  EXPECT_NE(chats().at(1)["messages"].back()["content"].get<std::string>().find("refused"), std::string::npos);
}

TEST_F(ToolCallTest, ArgumentsThatDoNotFitAreRefused) {
  for (const json& arguments : {json({{"years", 6}}), json({{"years", "two"}}), json({{"customer", "x"}})}) {
    script({{{"times", 1},
             {"when", json::object()},
             {"then", {{"tool_calls", {{{"name", "erp_order"}, {"arguments", arguments}}}}}}},
            then_approval()});
    start_host();
    const json decision = result(decide({}, "w-" + arguments.dump()));
    EXPECT_FALSE(decision.contains("tool_calls")) << arguments;
    EXPECT_EQ(record(decision)["refusals"].size(), 1u) << arguments;
  }
}

TEST_F(ToolCallTest, ArgumentsThatAreNoJsonAreRefused) {
  script({{{"times", 1},
           {"when", json::object()},
           {"then", {{"tool_calls", {{{"name", "erp_order"}, {"arguments", "{\"years\": "}}}}}}},
          then_approval()});
  start_host();
  EXPECT_EQ(record(result(decide()))["refusals"][0]["why"], "the arguments are not a JSON object");
}

TEST_F(ToolCallTest, ABoundArgumentIsNeverTheModels) {
  script({calls({{{"name", "erp_order"}, {"arguments", {{"order_id", "another customer's"}}}}}), then_approval()});
  start_host();
  const json turn = result(decide());
  EXPECT_EQ(turn["tool_calls"][0]["input"], json({{"order_id", "17"}}));
  const json decision = result(answer(turn, {{{"id", turn["tool_calls"][0]["id"]}, {"result", 1}}}));
  EXPECT_EQ(record(decision)["overruled"][0]["input"]["order_id"], "another customer's");
  EXPECT_TRUE(record(decision)["refusals"].empty());  // it ran
}

TEST_F(ToolCallTest, AConversationGoesOnAfterACrash) {
  script({calls({{{"name", "erp_order"}, {"arguments", json::object()}}}), then_approval()});
  start_host();
  const json turn = result(decide());
  start_host();
  EXPECT_EQ(result(decide()), turn);  // the answer was lost: the same calls, and nobody is asked
  EXPECT_EQ(chats().size(), 1u);
  const Task next = answer(turn, {{{"id", turn["tool_calls"][0]["id"]}, {"result", "new"}}});
  const json decision = result(next);
  EXPECT_EQ(decision["source"], "model");
  EXPECT_EQ(result(next), decision);
  EXPECT_EQ(result(decide()), decision);
  EXPECT_EQ(chats().size(), 2u);
}

TEST_F(ToolCallTest, AResultIsNeededForEachCall) {
  script({calls({{{"name", "erp_order"}, {"arguments", json::object()}}}), then_approval()});
  start_host();
  const json turn = result(decide());
  EXPECT_EQ(error(answer(turn, json::array())), "InvalidInput");
  EXPECT_EQ(error(answer(turn, {{{"id", "none"}, {"result", 1}}})), "InvalidInput");
  EXPECT_EQ(error(decide({{"continues", "d-0.1"}, {"tool_results", json::array()}})), "ConversationNotFound");
}

TEST_F(ToolCallTest, RoundsAreBoundedAndThenTheModelMustDecide) {
  script({{{"when", json::object()},
           {"then", {{"tool_calls", {{{"name", "erp_order"}, {"arguments", json::object()}}}}}}}});
  start_host();
  json turn = result(decide());
  for (int round = 1; round <= 2; ++round) {
    ASSERT_TRUE(turn.contains("tool_calls")) << round;
    const Task next = answer(turn, {{{"id", turn["tool_calls"][0]["id"]}, {"result", round}}}, {{"fallback", rule()}});
    turn = result(next);
  }
  EXPECT_EQ(turn["source"], "rule");
  EXPECT_EQ(turn["reason"], "invalid_output");
  EXPECT_EQ(chats().back()["tool_choice"], "none");
}

TEST_F(ToolCallTest, AFailedToolIsToldToTheModel) {
  script({calls({{{"name", "erp_order"}, {"arguments", json::object()}}}), then_approval()});
  start_host();
  const json turn = result(decide());
  result(answer(turn, {{{"id", turn["tool_calls"][0]["id"]}, {"error", "the ERP is away"}}}));
  EXPECT_EQ(chats().at(1)["messages"].back()["content"],
            R"(<data name="tool_result">{"error":"the ERP is away"}</data>)");
}

}  // namespace
}  // namespace skald::plugins
