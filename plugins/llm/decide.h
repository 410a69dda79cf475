#pragma once

#include "plugins/llm/books.h"
#include "plugins/llm/decide_request.h"
#include "plugins/llm/dialogue.h"
#include "plugins/llm/endpoint.h"
#include "plugins/llm/knowledge.h"
#include "plugins/llm/prompts.h"
#include "plugins/llm/settings.h"

namespace skald::plugin::llm {

// Embeds texts, counted and within the budget; redacted by the caller. In batches.
Async<std::vector<Embedding>> embed_texts(Context& context, const Settings& settings, const Endpoint& endpoint,
                                          Meter& meter, std::vector<std::string> texts,
                                          Endpoint::Clock::time_point until);

// Until when a call has time: `timeout`, but so that something can still be written before the attempt's deadline.
Endpoint::Clock::time_point time_until(const Context& context, std::chrono::milliseconds timeout);

// llm.decide. Thread-safe.
class Decider {
 public:
  Decider(const Settings& settings, Books& books, const Endpoint& endpoint, PromptLibrary& prompts,
          Knowledge& knowledge)
      : settings_(settings), books_(books), endpoint_(endpoint), prompts_(prompts), knowledge_(knowledge) {}

  Async<json> decide(Context& context, json input);

 private:
  struct Work;
  // All that decides which passages are found, beside the namespace and its knowledge.
  struct Search {
    std::string query, model;  // the query as it leaves, the embeddings' model
    size_t top = 0;
    double least = 0;
  };
  std::string effective_request(const Work& work) const;
  Search search_of(const Work& work, Redaction& redaction) const;
  json begin(EffectStore& db, Work& work);
  json conversation_or_cache(EffectStore& db, Work& work);
  Async<void> open(Work& work);
  Async<std::vector<Passage>> find_passages(Work& work);
  Async<json> keep_going(Work& work, json tool_calls);
  bool may_be_cached(const Work& work, const json& decision, const json& restored) const;
  Async<json> finish(Work& work, json decision, const char* source, const Trouble* trouble);
  Async<void> note_failure(Work& work, const Trouble* trouble);
  json record(const Work& work) const;

  const Settings& settings_;
  Books& books_;
  const Endpoint& endpoint_;
  PromptLibrary& prompts_;
  Knowledge& knowledge_;
};

}  // namespace skald::plugin::llm
