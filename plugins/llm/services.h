#pragma once

#include "plugins/llm/books.h"
#include "plugins/llm/endpoint.h"
#include "plugins/llm/knowledge.h"
#include "plugins/llm/meter.h"
#include "plugins/llm/settings.h"

namespace skald::plugin::llm {

// The model without decisions: llm.chat, llm.embed, llm.learn and llm.search. What they send is redacted, counted and
// within the budget. Thread-safe.
class Services {
 public:
  Services(const Settings& settings, Books& books, const Endpoint& endpoint, Knowledge& knowledge)
      : settings_(settings), books_(books), endpoint_(endpoint), knowledge_(knowledge) {}

  Async<json> chat(Context& context, json input);
  Async<json> embed(Context& context, json input);
  Async<json> learn(Context& context, json input);
  Async<json> search(Context& context, json input);

 private:
  struct Talk;
  Async<json> talk(Context& context, Talk& talk);
  Async<std::vector<Embedding>> embeddings_of(Context& context, Meter& meter, std::vector<std::string> texts);

  const Settings& settings_;
  Books& books_;
  const Endpoint& endpoint_;
  Knowledge& knowledge_;
};

}  // namespace skald::plugin::llm
