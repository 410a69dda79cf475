#pragma once

#include <cstdint>
#include <string>

#include "plugins/llm/books.h"
#include "plugins/llm/budget.h"
#include "plugins/llm/endpoint.h"
#include "plugins/llm/settings.h"

namespace skald::plugin::llm {

// What one call of an activity uses of its namespace's budget: reserved before each try of a request, counted after the
// request, and settled once at the end, together with what the call has to write. One thread at a time.
class Meter {
 public:
  // `key` names the call's reservation: the same on every attempt.
  Meter(const Settings& settings, Books& books, Context& context, std::string key);

  // Before each try of a request: reserves what the call has used, what the tries before have spent, and one try more,
  // which may take `a_try`. Throws Trouble (kBudget) if the day's budget does not allow it.
  Endpoint::BeforeTry before_each_try(std::string model, TokenUse a_try);
  void count(const std::string& model, const Spent& spent);

  const TokenUse& tokens() const { return tokens_; }
  int64_t cost_micros() const { return cost_; }
  bool has_to_settle() const { return reserved_ || tokens_.sum() > 0 || cost_ > 0; }
  void settle(EffectStore& db) const;
  Async<void> settle();

 private:
  Async<void> reserve(std::string model, TokenUse next);

  const Settings& settings_;
  Books& books_;
  Context& context_;
  const std::string key_;
  const Account account_;
  const Budget budget_;
  TokenUse tokens_;
  int64_t cost_ = 0;
  bool reserved_ = false;
};

}  // namespace skald::plugin::llm
