#include <filesystem>

#include "tests/unit/llm/llm_fixture.h"

namespace skald::plugins {
namespace {

using DecideTest = LlmTest;

TEST_F(DecideTest, ADecisionTellsWhatWasDecidedByWhatAndWhy) {
  script({{{"when", {{"schema", "risk"}}}, {"then", {{"output", approval("a small order")}}}}});
  start_host({{"prices", {{"sandbox", {{"prompt", 1000000}, {"completion", 2000000}}}}}});
  const json decision = result(decide());
  EXPECT_EQ(decision["output"], json({{"verdict", "approve"}}));
  EXPECT_EQ(decision["confidence"], 0.9);
  EXPECT_EQ(decision["explanation"], "a small order");
  EXPECT_EQ(decision["source"], "model");
  EXPECT_EQ(decision["prompt"], "risk");
  EXPECT_EQ(decision["version"], 1);
  EXPECT_EQ(decision["hash"].get<std::string>().size(), 64u);
  EXPECT_EQ(decision["model"], "sandbox");
  EXPECT_FALSE(decision["repaired"].get<bool>());
  EXPECT_FALSE(decision["tokens"]["estimated"].get<bool>());
  const int64_t prompt = decision["tokens"]["prompt"], completion = decision["tokens"]["completion"];
  EXPECT_GT(prompt, 0);
  EXPECT_EQ(decision["cost_micros"], prompt + 2 * completion);
  EXPECT_FALSE(decision.contains("reason"));
}

TEST_F(DecideTest, TheQuestionHasThePromptsSettingsAndItsSchema) {
  answer_always(approval().dump());
  start_host({{"stream", false}});
  result(decide());
  const json asked = chats().at(0);
  EXPECT_EQ(asked["model"], "sandbox");
  EXPECT_EQ(asked["temperature"], 0);
  EXPECT_EQ(asked["max_tokens"], 100);
  EXPECT_EQ(asked["stream"], false);
  EXPECT_EQ(asked["response_format"]["json_schema"]["name"], "risk");
  EXPECT_EQ(asked["response_format"]["json_schema"]["schema"]["required"],
            json({"verdict", "confidence", "explanation"}));
  EXPECT_EQ(asked["messages"][0]["role"], "system");
  EXPECT_EQ(asked["messages"][1]["role"], "user");
}

TEST_F(DecideTest, StreamsAndAnswersInOnePieceDecideTheSame) {
  answer_always(approval("streamed or not").dump());
  start_host({{"stream", true}});
  const json streamed = result(decide({}, "streamed"));
  start_host({{"stream", false}});
  const json whole = result(decide({}, "whole"));
  EXPECT_EQ(streamed["output"], whole["output"]);
  EXPECT_EQ(streamed["explanation"], whole["explanation"]);
  EXPECT_EQ(streamed["tokens"], whole["tokens"]);
  EXPECT_EQ(chats().at(0)["stream"], true);
  EXPECT_EQ(chats().at(0)["stream_options"]["include_usage"], true);
}

TEST_F(DecideTest, ARetryFindsTheDecisionAndAsksNobody) {
  answer_always(approval().dump());
  start_host();
  const json first = result(decide());
  Task retry = decide();
  retry.attempt = 2;
  EXPECT_EQ(result(retry), first);
  start_host();  // and so after a crash
  EXPECT_EQ(result(retry), first);
  EXPECT_EQ(chats().size(), 1u);
}

TEST_F(DecideTest, AnotherReferenceIsAnotherDecision) {
  answer_always(approval().dump());
  start_host();
  const json first = result(decide()), second = result(decide({{"reference", "again"}}));
  EXPECT_NE(first["decision_id"], second["decision_id"]);
  EXPECT_NE(first["decision_id"], result(decide({}, "w2"))["decision_id"]);
  EXPECT_EQ(chats().size(), 3u);
}

TEST_F(DecideTest, OtherInputsForTheSameDecisionAreRefused) {
  answer_always(approval().dump());
  start_host();
  result(decide());
  const auto failed = failure(decide({{"inputs", {{"order", {{"id", "18"}}}}}}));
  EXPECT_EQ(failed.application_failure_info().type(), "IdempotencyConflict");
  EXPECT_TRUE(failed.application_failure_info().non_retryable());
}

TEST_F(DecideTest, AFencedAnswerIsTakenAsItIs) {
  answer_always("Here you are:\n```json\n" + approval().dump() + "\n```\n");
  start_host();
  const json decision = result(decide());
  EXPECT_EQ(decision["output"]["verdict"], "approve");
  EXPECT_FALSE(decision["repaired"].get<bool>());
}

TEST_F(DecideTest, AnAnswerThatDoesNotFitIsRepairedOnce) {
  json wrong = approval();
  wrong["verdict"] = "perhaps";
  script({{{"times", 1}, {"when", json::object()}, {"then", {{"output", wrong}}}},
          {{"when", json::object()}, {"then", {{"output", approval("repaired")}}}}});
  start_host();
  const json decision = result(decide());
  EXPECT_TRUE(decision["repaired"].get<bool>());
  EXPECT_EQ(decision["explanation"], "repaired");
  const auto asked = chats();
  ASSERT_EQ(asked.size(), 2u);
  const std::string told = asked[1]["messages"].back()["content"];
  EXPECT_NE(told.find("verdict"), std::string::npos) << told;
}

TEST_F(DecideTest, AnAnswerThatFitsNeitherTimeFailsForGood) {
  answer_always("{\"verdict\": \"approve\",");
  start_host();
  const auto failed = failure(decide());
  EXPECT_EQ(failed.application_failure_info().type(), "LlmInvalidOutput");
  EXPECT_TRUE(failed.application_failure_info().non_retryable());
  EXPECT_EQ(chats().size(), 2u);
}

TEST_F(DecideTest, TheRuleDecidesInsteadOfAnAnswerThatDoesNotFit) {
  answer_always("no JSON at all");
  start_host();
  const json decision = result(decide({{"fallback", rule()}}));
  EXPECT_EQ(decision["source"], "rule");
  EXPECT_EQ(decision["reason"], "invalid_output");
  EXPECT_EQ(decision["output"], json({{"verdict", "review"}}));
  EXPECT_EQ(decision["confidence"], 0.5);
  EXPECT_EQ(decision["explanation"], "a rule");
  EXPECT_GT(decision["tokens"]["prompt"], 0);  // it was asked, and has cost something
}

TEST_F(DecideTest, ARefusalFailsForGoodOrLetsTheRuleDecide) {
  script({{{"when", json::object()}, {"then", {{"refusal", "I will not judge people"}}}}});
  start_host();
  EXPECT_EQ(error(decide()), "LlmRefused");
  EXPECT_EQ(result(decide({{"fallback", rule()}}, "w2"))["reason"], "refused");
}

TEST_F(DecideTest, PlaceholdersWithoutInputsAreNamedAllAtOnce) {
  write_prompt("risk", 1, risk_sheet(), "{{inputs.order.id}} {{inputs.order.weight}} {{inputs.customer}}");
  start_host();
  const auto failed = failure(decide());
  EXPECT_EQ(failed.application_failure_info().type(), "InvalidInput");
  EXPECT_NE(failed.message().find("inputs.order.weight, inputs.customer"), std::string::npos) << failed.message();
  EXPECT_TRUE(chats().empty());
}

TEST_F(DecideTest, ARuleThatDoesNotFitTheSchemaIsRefused) {
  start_host();
  EXPECT_EQ(error(decide({{"fallback", {{"output", {{"verdict", "maybe"}}}}}})), "InvalidInput");
}

TEST_F(DecideTest, TheHighestVersionAnswersUnlessOneIsAskedFor) {
  answer_always(approval().dump());
  write_prompt("risk", 10, risk_sheet(), "Ten: {{inputs.order}}");
  write_prompt("risk", 9, risk_sheet(), "Nine: {{inputs.order}}");
  start_host();
  EXPECT_EQ(result(decide())["version"], 10);
  EXPECT_EQ(result(decide({{"version", 9}}, "w2"))["version"], 9);
  EXPECT_EQ(error(decide({{"version", 8}}, "w3")), "PromptNotFound");
  EXPECT_EQ(error(decide({{"prompt", "../risk"}}, "w4")), "PromptNotFound");
}

TEST_F(DecideTest, AMistakeInAPromptIsToldWithFileAndLine) {
  write_prompt("risk", 1, risk_sheet(), "one\ntwo {{order.total}}\n");
  start_host();
  const auto failed = failure(decide());
  EXPECT_EQ(failed.application_failure_info().type(), "PromptInvalid");
  EXPECT_NE(failed.message().find("risk/1/user.md:2: "), std::string::npos) << failed.message();
}

TEST_F(DecideTest, WhatIsDecidedIsFoundWhateverBecameOfItsPrompt) {
  answer_always(approval().dump());
  start_host();
  const json first = result(decide());
  std::filesystem::remove_all(folder_ + "/prompts/risk");
  start_host();
  EXPECT_EQ(result(decide()), first);
}

TEST_F(DecideTest, APluginInAProcessOfItsOwnDecidesTheSame) {
  answer_always(approval("in a process").dump());
  start_host({{"isolation", "process"}});
  const json decision = result(decide());
  EXPECT_EQ(decision["explanation"], "in a process");
  start_host();
  EXPECT_EQ(result(decide()), decision);
}

TEST_F(DecideTest, WithoutAnEndpointThePluginLoadsAndSaysWhatIsMissing) {
  load();
  ASSERT_TRUE(host_->problems().empty());
  EXPECT_EQ(error(decide()), "LlmNotConfigured");
  EXPECT_TRUE(result(task("decisions", json::object()))["decisions"].empty());
}

}  // namespace
}  // namespace skald::plugins
