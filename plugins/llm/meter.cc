#include "plugins/llm/meter.h"

#include <utility>

#include "plugins/llm/clock.h"

namespace skald::plugin::llm {
namespace {

// After its attempt's deadline nobody settles a reservation any more.
constexpr int64_t kExpiresAfterMs = 60000;

}  // namespace

Meter::Meter(const Settings& settings, Books& books, Context& context, std::string key)
    : settings_(settings),
      books_(books),
      context_(context),
      key_(std::move(key)),
      account_{context.namespace_name, iso_day(now_ms())},
      budget_(settings.budget(context.namespace_name)) {}

Async<void> Meter::reserve(std::string model, TokenUse next) {
  if (!budget_.limited()) co_return;
  const Use use{saturated_sum(tokens_.sum(), next.sum()), saturated_sum(cost_, settings_.cost_micros(model, next))};
  Async<json> reserving = books_.apply(context_, [this, use](EffectStore& db) {
    return json(llm::reserve(db, account_, key_, use, budget_, now_ms(), context_.deadline_unix_ms + kExpiresAfterMs));
  });
  const json refused = co_await reserving;
  const std::string sentence = refused.get<std::string>();
  if (!sentence.empty()) throw Trouble(Reason::kBudget, sentence, true);
  reserved_ = true;
}

Endpoint::BeforeTry Meter::before_each_try(std::string model, TokenUse a_try) {
  return [this, model = std::move(model), a_try](const Spent& so_far) {
    TokenUse next = so_far.tokens;
    next.add(a_try);
    return reserve(model, next);
  };
}

void Meter::count(const std::string& model, const Spent& spent) {
  tokens_.add(spent.tokens);
  cost_ = saturated_sum(cost_, settings_.cost_micros(model, spent.tokens));
}

void Meter::settle(EffectStore& db) const {
  if (has_to_settle()) llm::settle(db, account_, key_, {tokens_.sum(), cost_});
}

Async<void> Meter::settle() {
  if (!has_to_settle()) co_return;
  Async<json> settling = books_.apply(context_, [this](EffectStore& db) {
    settle(db);
    return json();
  });
  co_await settling;
}

}  // namespace skald::plugin::llm
