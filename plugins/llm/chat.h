#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "plugins/llm/saturating.h"
#include "plugins/llm/sse.h"
#include "plugins/llm/tools.h"

namespace skald::plugin::llm {

// What a model is asked.
struct ChatQuestion {
  std::string model;
  nlohmann::json messages = nlohmann::json::array();
  std::optional<double> temperature;
  int64_t max_tokens = 0;
  nlohmann::json tools = nlohmann::json::array();  // as offered()
  bool may_call_tools = true;                      // else they are there, but the model is told to use none
  std::string form_name;                           // of `form`
  nlohmann::json form;                             // JSON Schema of the answer; null: any text
  bool stream = true;
};

// The request's body, as OpenAI's API has it.
nlohmann::json chat_body(const ChatQuestion& question);

struct TokenUse {
  int64_t prompt = 0, completion = 0;
  bool estimated = false;  // the endpoint did not say, or nothing that can be true

  int64_t sum() const { return saturated_sum(prompt, completion); }
  void add(const TokenUse& other) {
    prompt = saturated_sum(prompt, other.prompt);
    completion = saturated_sum(completion, other.completion);
    estimated = estimated || other.estimated;
  }
};

// A number of tokens in an endpoint's "usage"; nothing when it is no whole number, or none that can be true: it is
// somebody else's word, and budgets hang on it.
std::optional<int64_t> token_count(const nlohmann::json& usage, const char* key);

// About four bytes make a token.
int64_t estimated_tokens(size_t bytes);

struct ChatAnswer {
  std::string text, refusal, finish_reason, model;
  std::vector<ToolCall> tool_calls;
  std::optional<TokenUse> tokens;  // what the endpoint said

  // Neither words nor calls: nothing that somebody could do something with.
  bool is_empty() const { return text.empty() && tool_calls.empty() && !is_refusal(); }
  bool is_refusal() const { return !refusal.empty() || finish_reason == "content_filter"; }
  size_t bytes() const;
};

// What a model answered in one piece. Throws std::runtime_error with a sentence when it is no such answer.
ChatAnswer read_chat(const nlohmann::json& body);

// What a model answers in a stream of events, as it comes in. One thread at a time.
class ChatStream {
 public:
  ChatStream();
  // False: something is wrong, and there is no need to read on.
  bool feed(std::string_view bytes);
  void end() { parser_.end(); }

  bool complete() const { return done_ || !answer_.finish_reason.empty(); }
  // What went wrong, or empty: an error that the endpoint sent as an event, or what is no event at all.
  const std::string& problem() const { return problem_; }
  int64_t pieces() const { return pieces_; }  // of the answer, about one a token
  ChatAnswer answer() const;

 private:
  void event(std::string_view data);
  void choice(const nlohmann::json& choice);

  SseParser parser_;
  ChatAnswer answer_;
  std::map<int64_t, ToolCall> calls_;
  std::string problem_;
  int64_t pieces_ = 0;
  bool done_ = false;
};

}  // namespace skald::plugin::llm
