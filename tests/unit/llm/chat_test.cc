#include "plugins/llm/chat.h"

#include <gmock/gmock.h>

namespace skald::plugin::llm {
namespace {

using nlohmann::json;

std::string event(const json& data) { return "data: " + data.dump() + "\n\n"; }
json delta(const json& delta, const json& finish = nullptr) {
  return {{"model", "m"}, {"choices", {{{"index", 0}, {"delta", delta}, {"finish_reason", finish}}}}};
}

TEST(ChatStream, PutsAnAnswerTogether) {
  ChatStream stream;
  stream.feed(event(delta({{"role", "assistant"}})) + event(delta({{"content", "Hel"}})));
  EXPECT_FALSE(stream.complete());
  stream.feed(event(delta({{"content", "lo"}})) + event(delta(json::object(), "stop")));
  EXPECT_TRUE(stream.complete());
  EXPECT_TRUE(
      stream.feed(event({{"choices", json::array()}, {"usage", {{"prompt_tokens", 7}, {"completion_tokens", 2}}}}) +
                  "data: [DONE]\n\n"));
  const ChatAnswer answer = stream.answer();
  EXPECT_EQ(answer.text, "Hello");
  EXPECT_EQ(answer.model, "m");
  EXPECT_EQ(answer.finish_reason, "stop");
  EXPECT_EQ(answer.tokens->prompt, 7);
  EXPECT_EQ(answer.tokens->completion, 2);
  EXPECT_EQ(stream.pieces(), 2);
}

TEST(ChatStream, PutsToolCallsTogetherByTheirIndex) {
  ChatStream stream;
  const auto part = [](int index, const json& function, const json& id = nullptr) {
    return event(delta({{"tool_calls", {{{"index", index}, {"id", id}, {"function", function}}}}}));
  };
  stream.feed(part(0, {{"name", "a"}, {"arguments", "{\"x\""}}, "one") +
              part(1, {{"name", "b"}, {"arguments", ""}}, "two") + part(0, {{"arguments", ":1}"}}) +
              part(1, {{"arguments", "{}"}}));
  const ChatAnswer answer = stream.answer();
  ASSERT_EQ(answer.tool_calls.size(), 2u);
  EXPECT_EQ(answer.tool_calls[0].id, "one");
  EXPECT_EQ(answer.tool_calls[0].arguments, "{\"x\":1}");
  EXPECT_EQ(answer.tool_calls[1].name, "b");
  EXPECT_EQ(answer.tool_calls[1].arguments, "{}");
}

TEST(ChatStream, AnErrorInItsMidstEndsIt) {
  ChatStream stream;
  EXPECT_FALSE(stream.feed(event(delta({{"content", "x"}})) + event({{"error", {{"message", "overloaded"}}}})));
  EXPECT_THAT(stream.problem(), testing::HasSubstr("overloaded"));
}

TEST(ChatStream, WhatIsNoJsonEndsIt) {
  ChatStream stream;
  EXPECT_FALSE(stream.feed("data: {\"choices\": [\n\n"));
  EXPECT_FALSE(stream.problem().empty());
}

TEST(ReadChat, WhatIsNoAnswerIsSaidSo) {
  EXPECT_THROW(read_chat(json::array()), std::runtime_error);
  EXPECT_THROW(read_chat({{"choices", json::array()}}), std::runtime_error);
  EXPECT_THROW(read_chat({{"error", {{"message", "no"}}}}), std::runtime_error);
}

json answered(const json& message, const json& usage = nullptr) {
  return {{"choices", {{{"message", message}, {"finish_reason", "stop"}}}}, {"usage", usage}};
}

TEST(ReadChat, PartsOfATextAreJoined) {
  const json parts = {
      {{"type", "text"}, {"text", "Hel"}}, {{"type", "image_url"}}, 7, {{"type", "text"}, {"text", "lo"}}};
  EXPECT_EQ(read_chat(answered({{"content", parts}})).text, "Hello");
  ChatStream stream;
  stream.feed(event(delta({{"content", parts}})));
  EXPECT_EQ(stream.answer().text, "Hello");
}

TEST(ReadChat, WithoutWordsOrCallsItIsEmpty) {
  EXPECT_TRUE(read_chat(answered({{"content", nullptr}})).is_empty());
  EXPECT_FALSE(read_chat(answered({{"content", "x"}})).is_empty());
  EXPECT_FALSE(read_chat(answered({{"content", nullptr}, {"refusal", "no"}})).is_empty());
  EXPECT_FALSE(
      read_chat(answered({{"content", nullptr}, {"tool_calls", {{{"function", {{"name", "a"}}}}}}})).is_empty());
}

TEST(ReadChat, FieldsOfOtherTypesCountAsMissing) {
  const ChatAnswer answer = read_chat(
      {{"choices",
        {{{"message",
           {{"content", 5}, {"tool_calls", {7, {{"function", {{"name", "a"}, {"arguments", {{"x", 1}}}}}}}}}}}}}});
  EXPECT_EQ(answer.text, "");
  ASSERT_EQ(answer.tool_calls.size(), 1u);
  EXPECT_EQ(answer.tool_calls[0].arguments, "{\"x\":1}");
  EXPECT_FALSE(answer.tokens.has_value());
}

TEST(ReadChat, AUsageThatCannotBeTrueIsNone) {
  for (const json& count :
       {json(-1), json(4000000000000000000), json(UINT64_MAX), json("many"), json(1.5), json(1e30)}) {
    const json body = answered({{"content", "x"}}, {{"prompt_tokens", count}, {"completion_tokens", 2}});
    EXPECT_FALSE(read_chat(body).tokens.has_value()) << count;
  }
  EXPECT_FALSE(read_chat(answered({{"content", "x"}}, {{"prompt_tokens", 1}})).tokens.has_value());
  EXPECT_EQ(token_count({{"prompt_tokens", 1000000000}}, "prompt_tokens"), 1000000000);
}

TEST(TokenUse, SumsEndAtTheLargestNumber) {
  TokenUse use{INT64_MAX, 1, false};
  use.add({1, 1, false});
  EXPECT_EQ(use.prompt, INT64_MAX);
  EXPECT_EQ(use.sum(), INT64_MAX);
}

TEST(ChatBody, SaysNothingThatWasNotAskedFor) {
  ChatQuestion question;
  question.model = "m";
  question.stream = false;
  const json body = chat_body(question);
  for (const char* key : {"temperature", "max_tokens", "tools", "tool_choice", "response_format", "stream_options"})
    EXPECT_FALSE(body.contains(key)) << key;
}

}  // namespace
}  // namespace skald::plugin::llm
