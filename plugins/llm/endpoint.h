#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "plugins/llm/chat.h"
#include "plugins/llm/knowledge.h"
#include "plugins/llm/settings.h"
#include "plugins/llm/trouble.h"
#include "plugins/sdk/http.h"

namespace skald::plugin::llm {

// What asking has cost so far, also when it came to nothing.
struct Spent {
  TokenUse tokens;
  int64_t requests = 0;
  int64_t latency_ms = 0;
};

// The model's service. Asks again, up to `tries` times and not beyond `until`, when the service is busy or away, or a
// stream breaks; what goes wrong for good is a Trouble. Thread-safe.
class Endpoint {
 public:
  using Clock = std::chrono::steady_clock;

  Endpoint(const Settings& settings, std::function<HttpClient&()> http) : settings_(settings), http_(std::move(http)) {}

  // Called before each try with what the tries before it have spent; what it throws ends the asking.
  using BeforeTry = std::function<Async<void>(const Spent& so_far)>;

  // While an answer streams in, heartbeats tell {"tokens", "request"}. `spent` and `before` live until it has ended.
  Async<ChatAnswer> ask(Context& context, ChatQuestion question, Clock::time_point until, Spent& spent,
                        const BeforeTry& before) const;
  // One embedding a text, in their order.
  Async<std::vector<Embedding>> embed(Context& context, std::string model, std::vector<std::string> texts,
                                      Clock::time_point until, Spent& spent, const BeforeTry& before) const;

 private:
  struct Try;
  HttpRequest request(const char* path, std::string body, Clock::time_point until) const;
  Async<HttpResponse> send(Context& context, HttpRequest request, Try& state) const;
  Async<void> wait_before_next(Context& context, const Try& state, int64_t number, Clock::time_point until) const;

  const Settings& settings_;
  const std::function<HttpClient&()> http_;
};

}  // namespace skald::plugin::llm
