#include "tests/unit/llm/llm_fixture.h"

namespace skald::plugins {
namespace {

class PrivacyTest : public LlmTest {
 protected:
  static json personal() {
    return {{"inputs",
             {{"order",
               {{"id", "17"},
                {"name", "Ann Smith"},
                {"address", {{"street", "Mill Lane 3"}, {"town", "Bath"}}},
                {"note",
                 "Call Ann Smith at +44 20 7946 0958 or write to ann@example.com; card 4111 1111 1111 1111, "
                 "IBAN GB82 WEST 1234 5698 7654 32"}}}}}};
  }
  static std::vector<std::string> secrets() {
    return {"Ann Smith", "Mill Lane", "Bath", "7946", "ann@example.com", "4111", "GB82"};
  }
  void expect_none_in(const std::string& text) {
    for (const std::string& secret : secrets())
      EXPECT_EQ(text.find(secret), std::string::npos) << secret << "\n" << text;
  }
};

TEST_F(PrivacyTest, NothingPersonalLeavesAndNothingPersonalIsOnRecordAsSent) {
  answer_always(approval().dump());
  start_host();
  const json decision = result(decide(personal()));
  EXPECT_EQ(decision["redactions"], 7);
  ASSERT_EQ(chats().size(), 1u);
  expect_none_in(all_that_left());
  expect_none_in(result(task("decision", {{"decision_id", decision["decision_id"]}})).dump());
}

TEST_F(PrivacyTest, WhatIsTakenOutComesBackInTheDecision) {
  answer_always(approval("[NAME_1] at [EMAIL_1] is a known customer").dump());
  start_host();
  EXPECT_EQ(result(decide(personal()))["explanation"], "Ann Smith at ann@example.com is a known customer");
}

TEST_F(PrivacyTest, ConfiguredFieldsAreTakenOutToo) {
  answer_always(approval().dump());
  start_host({{"redact", {{"fields", {"note"}}}}});
  result(decide({{"inputs", {{"order", {{"note", "please hurry"}, {"name", "Ann"}}}}}}));
  EXPECT_EQ(all_that_left().find("please hurry"), std::string::npos);
  EXPECT_NE(all_that_left().find("[NOTE_1]"), std::string::npos);
  EXPECT_NE(all_that_left().find("Ann"), std::string::npos);  // the configured fields stand in for the usual ones
}

TEST_F(PrivacyTest, ResultsOfToolsAreRedactedWithTheSameNames) {
  json sheet = risk_sheet();
  sheet["tools"] = {{{"activity", "crm.write"}, {"input", {{"properties", {{"to", {{"type", "string"}}}}}}}}};
  write_prompt("risk", 1, sheet, "The order: {{inputs.order}}");
  script({{{"when", {{"after_tool", false}}},
           {"then", {{"tool_calls", {{{"name", "crm_write"}, {"arguments", {{"to", "[EMAIL_1]"}}}}}}}}},
          {{"when", json::object()}, {"then", {{"output", approval()}}}}});
  start_host();
  const json turn = result(decide(personal()));
  EXPECT_EQ(turn["tool_calls"][0]["input"]["to"], "ann@example.com");
  json input = personal();
  input["continues"] = turn["conversation"];
  input["tool_results"] = {
      {{"id", turn["tool_calls"][0]["id"]}, {"result", "wrote to ann@example.com and bob@example.com"}}};
  result(decide(input));
  expect_none_in(all_that_left());
  EXPECT_EQ(chats().at(1)["messages"].back()["content"],
            R"(<data name="tool_result">{"result":"wrote to [EMAIL_1] and [EMAIL_2]"}</data>)");
}

TEST_F(PrivacyTest, ChatsEmbeddingsAndKnowledgeAreRedacted) {
  answer_always("write to [EMAIL_1]");
  start_host();
  EXPECT_EQ(result(task("chat", {{"messages", {{{"role", "user"}, {"content", "who is ann@example.com?"}}}}}))["text"],
            "write to ann@example.com");
  result(task("embed", {{"texts", {"ann@example.com"}}}));
  result(task("learn", {{"document", "d"}, {"title", "t"}, {"source", "s"}, {"text", "Ask ann@example.com."}}));
  const json found = result(task("search", {{"query", "ask ann@example.com"}}))["passages"];
  EXPECT_EQ(found[0]["text"], "Ask ann@example.com.");
  EXPECT_EQ(requests().size(), 4u);
  expect_none_in(all_that_left());
}

}  // namespace
}  // namespace skald::plugins
