#include "samples/llm/endpoint.h"

#include <gmock/gmock.h>
#include <httplib.h>

namespace skald::samples::llm {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

class EndpointTest : public testing::Test {
 protected:
  explicit EndpointTest(const EndpointOptions& options = {})
      : endpoint_(options), client_("127.0.0.1", endpoint_.start()) {}

  void script(const json& then) { endpoint_.script().load({{"rules", {{{"name", "the rule"}, {"then", then}}}}}); }
  httplib::Result chat(json more = json::object()) {
    json body = {{"model", "small"}, {"messages", {{{"role", "user"}, {"content", "Hello"}}}}};
    body.update(more);
    return client_.Post("/v1/chat/completions", body.dump(), "application/json");
  }

  Endpoint endpoint_;
  httplib::Client client_;
};

TEST_F(EndpointTest, AnswersAsTheApiDoes) {
  script({{"content", "good day"}});
  const json body = json::parse(chat()->body);
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_EQ(body["choices"][0]["message"]["content"], "good day");
  EXPECT_EQ(body["choices"][0]["finish_reason"], "stop");
  EXPECT_GT(body["usage"]["completion_tokens"], 0);
}

TEST_F(EndpointTest, StreamsChunksUsageAndTheEnd) {
  script({{"content", "größer als gedacht"}, {"chunk_size", 3}});
  const auto reply = chat({{"stream", true}, {"stream_options", {{"include_usage", true}}}});
  EXPECT_THAT(reply->get_header_value("Content-Type"), HasSubstr("text/event-stream"));
  EXPECT_THAT(reply->body, HasSubstr("\"content\":\"grö\""));
  EXPECT_THAT(reply->body, HasSubstr("\"prompt_tokens\""));
  EXPECT_THAT(reply->body, EndsWith("data: [DONE]\n\n"));
}

TEST_F(EndpointTest, RefusesWithAStatusAndSaysWhenToComeBack) {
  script({{"status", 429}, {"retry_after", 2}});
  const auto reply = chat();
  EXPECT_EQ(reply->status, 429);
  EXPECT_EQ(reply->get_header_value("Retry-After"), "2");
  EXPECT_EQ(json::parse(reply->body)["error"]["type"], "rate_limit_exceeded");
}

TEST_F(EndpointTest, BreaksAStreamAndABody) {
  script({{"content", std::string(500, 'x')}, {"break_after", 2}});
  EXPECT_FALSE(chat({{"stream", true}}));
  EXPECT_FALSE(chat());
}

TEST_F(EndpointTest, DeclinesAndCallsTools) {
  script({{"refusal", "no"}});
  EXPECT_EQ(json::parse(chat()->body)["choices"][0]["message"]["refusal"], "no");
  script({{"tool_calls", json::array({{{"name", "payment.refund"}, {"arguments", "not json"}}})}});
  const json choice = json::parse(chat()->body)["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_EQ(choice["message"]["tool_calls"][0]["function"]["arguments"], "not json");
}

TEST_F(EndpointTest, TellsItsOwnerWhatCame) {
  script({{"content", "x"}});
  chat({{"temperature", 0}});
  const json seen = json::parse(client_.Get("/sandbox/requests")->body);
  EXPECT_EQ(seen["count"], 1);
  EXPECT_EQ(seen["requests"][0]["body"]["temperature"], 0);
  EXPECT_EQ(seen["requests"][0]["rule"], "the rule");
  EXPECT_EQ(client_.Delete("/sandbox/requests")->status, 204);
  EXPECT_EQ(json::parse(client_.Get("/sandbox/requests")->body)["count"], 0);
}

TEST_F(EndpointTest, RefusesWhatIsNoRequest) {
  EXPECT_EQ(client_.Post("/v1/chat/completions", "{", "application/json")->status, 400);
  EXPECT_EQ(chat({{"messages", json::array()}})->status, 400);
  EXPECT_EQ(client_.Post("/v1/embeddings", R"({"input": 7})", "application/json")->status, 400);
  EXPECT_EQ(client_.Put("/sandbox/script", R"({"rules": [{"then": {"x": 1}}]})", "application/json")->status, 400);
}

TEST_F(EndpointTest, EmbedsOneTextOrSeveral) {
  const json body = json::parse(
      client_.Post("/v1/embeddings", R"({"model":"e","input":["a","b"],"dimensions":8})", "application/json")->body);
  EXPECT_EQ(body["data"].size(), 2u);
  EXPECT_EQ(body["data"][1]["index"], 1);
  EXPECT_EQ(body["data"][0]["embedding"].size(), 8u);
}

class LockedEndpointTest : public EndpointTest {
 protected:
  LockedEndpointTest() : EndpointTest({.api_key = "sesame"}) {}
};

TEST_F(LockedEndpointTest, WantsItsKey) {
  EXPECT_EQ(chat()->status, 401);
  client_.set_default_headers({{"Authorization", "Bearer sesame"}});
  EXPECT_EQ(chat()->status, 200);
}

}  // namespace
}  // namespace skald::samples::llm
