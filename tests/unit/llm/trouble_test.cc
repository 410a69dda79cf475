#include "plugins/llm/trouble.h"

#include "tests/unit/llm/llm_fixture.h"

namespace skald::plugins {
namespace {

// What a model's service does wrong.
class TroubleTest : public LlmTest {
 protected:
  static json always(const json& then) { return {{{"when", json::object()}, {"then", then}}}; }
  static json once_then_well(const json& then) {
    return {{{"times", 1}, {"when", json::object()}, {"then", then}},
            {{"when", json::object()}, {"then", {{"output", approval()}}}}};
  }
};

TEST_F(TroubleTest, ALateModelIsATimeoutThatMayBeRetried) {
  script(always({{"delay_ms", 60000}}));
  start_host();
  const auto failed = failure(decide({{"timeout_ms", 100}}));
  EXPECT_EQ(failed.application_failure_info().type(), "LlmTimeout");
  EXPECT_FALSE(failed.application_failure_info().non_retryable());
}

TEST_F(TroubleTest, TheRuleDecidesWhenTheModelIsLate) {
  script(always({{"delay_ms", 60000}}));
  start_host();
  const json decision = result(decide({{"timeout_ms", 100}, {"fallback", rule()}}));
  EXPECT_EQ(decision["source"], "rule");
  EXPECT_EQ(decision["reason"], "timeout");
}

TEST_F(TroubleTest, TheRuleDecidesBeforeTheActivitysOwnDeadline) {
  script(always({{"delay_ms", 60000}}));
  start_host();
  Task task = decide({{"fallback", rule()}});
  task.timeout = absl::Milliseconds(1500);
  EXPECT_EQ(result(task)["reason"], "timeout");
}

TEST_F(TroubleTest, ABrokenStreamIsAskedForAgain) {
  script(once_then_well({{"break_after", 3}, {"output", approval()}}));
  start_host();
  const json decision = result(decide());
  EXPECT_EQ(decision["source"], "model");
  EXPECT_EQ(chats().size(), 2u);
  EXPECT_TRUE(decision["tokens"]["estimated"].get<bool>());  // of the first nobody told what it cost
}

TEST_F(TroubleTest, AStreamThatAlwaysBreaksFailsAsThePolicySays) {
  script(always({{"break_after", 3}, {"output", approval()}}));
  start_host({{"tries", 2}});
  const auto failed = failure(decide());
  EXPECT_EQ(failed.application_failure_info().type(), "LlmUnavailable");
  EXPECT_FALSE(failed.application_failure_info().non_retryable());
  EXPECT_EQ(chats().size(), 2u);
  EXPECT_EQ(result(decide({{"fallback", rule()}}, "w2"))["reason"], "unavailable");
}

TEST_F(TroubleTest, AStreamThatStallsIsBroken) {
  script(once_then_well({{"chunk_delay_ms", 60000}, {"output", approval()}}));
  start_host({{"idle_timeout_ms", 1000}});
  EXPECT_EQ(result(decide())["source"], "model");
  EXPECT_EQ(chats().size(), 2u);
}

TEST_F(TroubleTest, AModelMayThinkLongerThanAStreamMayStall) {
  script(always({{"delay_ms", 1500}, {"output", approval()}}));
  start_host({{"idle_timeout_ms", 300}});
  EXPECT_EQ(result(decide())["source"], "model");
  EXPECT_EQ(chats().size(), 1u);
}

TEST_F(TroubleTest, ABusyServiceIsAskedAgainWhenItSays) {
  script(once_then_well({{"status", 429}, {"retry_after", 0}}));
  start_host();
  EXPECT_EQ(result(decide())["source"], "model");
  EXPECT_EQ(chats().size(), 2u);
}

TEST_F(TroubleTest, AServiceThatIsBusyForTooLongTellsWhenToComeAgain) {
  script(always({{"status", 429}, {"retry_after", 600}}));
  start_host();
  const auto failed = failure(decide());
  EXPECT_EQ(failed.application_failure_info().type(), "LlmUnavailable");
  EXPECT_EQ(failed.application_failure_info().next_retry_delay().seconds(), 600);
  EXPECT_EQ(chats().size(), 1u);
  EXPECT_EQ(result(decide({{"fallback", rule()}}, "w2"))["reason"], "unavailable");
}

TEST_F(TroubleTest, AServiceThatFailsIsAskedAsOftenAsConfigured) {
  script(always({{"status", 503}}));
  start_host({{"tries", 3}});
  EXPECT_EQ(error(decide()), "LlmUnavailable");
  EXPECT_EQ(chats().size(), 3u);
}

TEST_F(TroubleTest, AnAnswerWithoutWordsIsNone) {
  script(once_then_well({{"content", ""}}));
  start_host();
  EXPECT_EQ(result(decide())["source"], "model");
  EXPECT_EQ(chats().size(), 2u);
  for (const bool stream : {true, false}) {
    script(always({{"content", ""}}));
    start_host({{"stream", stream}, {"tries", 1}});
    const auto failed = failure(task("chat", {{"messages", {{{"role", "user"}, {"content", "hello"}}}}}));
    EXPECT_EQ(failed.application_failure_info().type(), "LlmUnavailable");
    EXPECT_FALSE(failed.application_failure_info().non_retryable());
  }
}

TEST_F(TroubleTest, ARefusedRequestIsNotRepeated) {
  script(always({{"status", 400}, {"error", "no such model"}}));
  start_host();
  const auto failed = failure(decide());
  EXPECT_EQ(failed.application_failure_info().type(), "LlmUnavailable");
  EXPECT_TRUE(failed.application_failure_info().non_retryable());
  EXPECT_NE(failed.message().find("no such model"), std::string::npos);
  EXPECT_EQ(chats().size(), 1u);
}

TEST_F(TroubleTest, ServicesThatAreAwayAreUnavailable) {
  start_host({{"url", "http://127.0.0.1:1/v1"}, {"tries", 1}});
  EXPECT_EQ(error(decide()), "LlmUnavailable");
}

TEST_F(TroubleTest, AnOpenCircuitLetsTheRuleDecideAtOnce) {
  script(always({{"status", 503}}));
  start_host({{"tries", 1}, {"http", {{"breaker_failures", 1}}}});
  EXPECT_EQ(error(decide()), "LlmUnavailable");
  const json decision = result(decide({{"fallback", rule()}}, "w2"));
  EXPECT_EQ(decision["reason"], "circuit_open");
  EXPECT_EQ(chats().size(), 1u);
}

TEST_F(TroubleTest, WhatFailedIsOnRecordUntilItIsDecided) {
  script(once_then_well({{"status", 503}}));
  start_host({{"tries", 1}});
  EXPECT_EQ(error(decide()), "LlmUnavailable");
  const json failed = result(task("decisions", {{"status", "failed"}}))["decisions"];
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0]["reason"], "unavailable");
  Task retry = decide();
  retry.attempt = 2;
  const json decision = result(retry);
  const json record = result(task("decision", {{"decision_id", decision["decision_id"]}}));
  EXPECT_EQ(record["status"], "decided");
  EXPECT_EQ(record["attempts"], 2);
  EXPECT_EQ(record["requests"], 2);
}

// The place where words are cut falls into a character.
TEST_F(TroubleTest, TheRuleDecidesWhateverCharactersAnErrorHas) {
  const std::string words = std::string(299, 'a') + "éé and more of it";
  start_host({{"tries", 1}});
  script(always({{"status", 503}, {"error", words}}));
  EXPECT_EQ(result(decide({{"fallback", rule()}}))["reason"], "unavailable");
  script(always({{"refusal", words}}));
  EXPECT_EQ(result(decide({{"fallback", rule()}}, "w2"))["reason"], "refused");
  EXPECT_EQ(error(decide({}, "w3")), "LlmRefused");
}

TEST(BeginningOf, CutsNoCharacterInTwo) {
  using plugin::llm::beginning_of;
  EXPECT_EQ(beginning_of("aé", 3), "aé");
  EXPECT_EQ(beginning_of("aéb", 2), "a");
  EXPECT_EQ(beginning_of("€", 2), "");
  EXPECT_EQ(beginning_of("aéb", 3), "aé");
}

TEST_F(TroubleTest, TokensAreToldByHeartbeatsWhileTheyArrive) {
  script(always({{"output", approval()}, {"chunk_delay_ms", 5}, {"chunk_size", 4}}));
  start_host();
  auto beats = std::make_shared<std::promise<void>>();
  auto told = beats->get_future();
  auto outcome = start(decide(), [beats, first = true](auto, auto) mutable {
    if (std::exchange(first, false)) beats->set_value();
  });
  EXPECT_EQ(told.wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_EQ(result(outcome.get())["source"], "model");
}

}  // namespace
}  // namespace skald::plugins
