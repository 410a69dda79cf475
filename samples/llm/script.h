#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "samples/llm/chat.h"

namespace skald::samples::llm {

// Rules that say what to answer, looked at in their order; the README beside this file has their fields. Thread-safe.
class Script {
 public:
  struct Found {
    std::string rule;  // its name, or its place
    Reply reply;
  };

  // Takes these rules in the place of all others. Throws std::invalid_argument with a sentence that names the rule.
  void load(const json& script);
  // The first rule that the request meets and that has not been used up; each finding uses it. None: nullopt, and a
  // rule without an answer of its own leaves the content to `usual`.
  std::optional<Found> find(const ChatRequest& request, const Reply& usual);

 private:
  struct Rule {
    std::string name;
    std::string model, schema;
    std::vector<std::string> contains;
    std::optional<bool> after_tool, tools, stream;
    int64_t skip = 0;    // so many requests that meet it pass by first
    int64_t times = -1;  // how many are still answered; -1: all
    json then;
  };
  static Rule read_rule(const json& rule, size_t place);
  static bool meets(const Rule& rule, const ChatRequest& request);

  std::mutex mutex_;
  std::vector<Rule> rules_;
};

// The call that a text tells its reader to make ("call payment.refund {…}"), as a model without any judgement obeys it.
std::optional<ToolCall> instructed_call(const ChatRequest& request);

}  // namespace skald::samples::llm
