#include <utility>

#include "plugins/sdk/fields.h"
#include "plugins/sdk/plugin.h"
#include "plugins/sdk/wait.h"

// How each kind of activity is run.
namespace skald::plugin {
namespace {

// A text for the ledger's transaction: outcomes must be storable, whatever the author's json holds.
std::string outcome_text(const json& value) {
  try {
    return value.dump();
  } catch (const json::exception& e) {
    throw ActivityError("InvalidResult", std::string("the result is not JSON: ") + e.what(), true);
  }
}

std::string binding_text(const Effect& effect, const std::string& activity, const json& input) {
  if (effect.binding.empty()) return {};
  json fields = {{"activity", activity}};
  for (const std::string& name : effect.binding) {
    if (input.contains(name)) fields[name] = input[name];
  }
  return fields.dump();
}

// What an effect is called. Namespaces have a name, so keys that begin with '/' are none of the first form.
struct Naming {
  const Effect& effect;
  const std::string &namespace_name, &workflow;

  std::string key(const std::string& step, const EffectId& id) const {
    if (effect.scope == Effect::Scope::kWorkflow) return former(step, id);
    std::vector<std::string> parts = {"", namespace_name, step};
    if (id.empty()) {
      parts.push_back("workflow=" + workflow);
    } else {
      for (std::string& part : id.parts()) parts.push_back(std::move(part));
    }
    return effect_key(parts);
  }
  std::string former(const std::string& step, const EffectId& id) const {
    return effect_key({namespace_name, workflow, step, id.former()});
  }
};

ActivityError error_from(const ActivityFailure& failure) {
  return {failure.type, failure.message, failure.non_retryable,
          failure.details.empty() ? json() : json::parse(failure.details), failure.next_retry_delay_ms};
}

}  // namespace

void Plugin::run_activity(const std::shared_ptr<Context>& context, const Entry& entry, json input, const Fault& fault) {
  std::string result;
  std::optional<ActivityFailure> failure;
  try {
    result = outcome_text(entry.activity(*context, input));
  } catch (...) {
    failure = current_failure();
  }
  answer(context, fault, result, std::move(failure));
}

struct Plugin::Applied {
  std::shared_ptr<Context> context;
  Effect effect;
  json input, decision = nullptr, partner = nullptr;
  EffectNames names = {};

  EffectCall call(EffectStore& db) {
    return {db, input, *context, names.key, names.undoes, names.of, decision, partner};
  }
};

EffectRequest Plugin::effect_request(const std::shared_ptr<Applied>& applied) {
  EffectRequest request;
  const Effect& effect = applied->effect;
  const Context& context = *applied->context;
  const json& input = applied->input;
  request.asker = {context.workflow_id, context.run_id, context.chain, context.scheduled_unix_ns};
  // A compensation may be asked for by another workflow than the one that acted.
  if (!effect.undoes.empty()) request.on_behalf_of = optional_text(input, "workflow_id");
  const std::string& workflow = request.on_behalf_of.empty() ? context.workflow_id : request.on_behalf_of;
  const Naming naming{effect, context.namespace_name, workflow};
  if (!effect.of.empty()) {
    const EffectId which = effect.of_which(input);
    request.of = naming.key(effect.of, which);
    request.former_of = naming.former(effect.of, which);
  }
  if (!effect.step.empty()) {
    const EffectId id = effect.reference ? effect.reference(input) : EffectId();
    request.key = naming.key(effect.step, id);
    request.former_key = naming.former(effect.step, id);
    if (!effect.undoes.empty()) {
      request.undoes = naming.key(effect.undoes, id);
      request.former_undoes = naming.former(effect.undoes, id);
    }
    request.binding = binding_text(effect, context.activity, input);
  }
  request.reads = effect.reads && effect.step.empty();
  request.named = [applied](const EffectNames& names) {
    applied->names = names;
    applied->decision = names.decision.empty() ? json() : json::parse(names.decision);
  };
  if (effect.decide) {
    request.decide = [applied](EffectStore& db) {
      EffectCall seen = applied->call(db);
      return outcome_text(applied->effect.decide(seen));
    };
  }
  if (effect.partner) {
    request.partner = [applied](EffectStore& db) {
      EffectCall seen = applied->call(db);
      applied->partner = applied->effect.partner(seen);
    };
  }
  request.run = [applied](EffectStore& db) {
    EffectCall seen = applied->call(db);
    return outcome_text(applied->effect.run(seen));
  };
  return request;
}

void Plugin::run_effect(const std::shared_ptr<Context>& context, const Entry& entry, json input, const Fault& fault) {
  EffectRequest request = effect_request(std::make_shared<Applied>(Applied{context, entry.effect, std::move(input)}));
  request.lose_answer = fault.kind == Fault::Kind::kLoseAnswer || fault.kind == Fault::Kind::kTimeout;
  ledger_->apply(std::move(request),
                 [this, context, fault](const std::string& outcome, std::optional<ActivityFailure> failure) {
                   answer(context, fault, outcome, std::move(failure));
                 });
}

Detached Plugin::drive(std::shared_ptr<Context> context, const Entry& entry, json input, Fault fault) {
  std::string result;
  std::optional<ActivityFailure> failure;
  try {
    if (fault.kind == Fault::Kind::kDelay) {
      Async<void> delaying = pause(*later_, *context, fault.delay);
      co_await delaying;
    }
    Async<json> running = entry.async_activity(*context, input);
    const json value = co_await running;
    result = outcome_text(value);
  } catch (...) {
    failure = current_failure();
  }
  answer(context, fault, result, std::move(failure));
  coroutines_.end();
}

void Plugin::run_async(const std::shared_ptr<Context>& context, const Entry& entry, json input, const Fault& fault) {
  coroutines_.begin();  // from now on close() waits for it
  later_->run(std::chrono::milliseconds(0), [this, context, &entry, input = std::move(input), fault]() mutable {
    drive(context, entry, std::move(input), fault);
  });
}

Async<json> Plugin::apply(Context& context, Effect effect, json input) {
  if (ledger_ == nullptr) {
    throw ActivityError("NoBooks",
                        "plugin " + name_ + " keeps no books: override create_tables() or register an effect", true);
  }
  struct Answer {
    std::string outcome;
    std::optional<ActivityFailure> failure;
  };
  auto applied = std::make_shared<Applied>(Applied{context.shared_from_this(), std::move(effect), std::move(input)});
  Waiting<Answer> waiting(*later_, [this, &applied](Waiting<Answer>::Tell tell) {
    ledger_->apply(effect_request(applied),
                   [tell = std::move(tell)](std::string outcome, std::optional<ActivityFailure> failure) {
                     tell({std::move(outcome), std::move(failure)});
                   });
  });
  const Answer answer = co_await waiting;
  if (answer.failure) throw error_from(*answer.failure);
  co_return json::parse(answer.outcome);
}

Async<void> Plugin::sleep(Context& context, std::chrono::milliseconds length) {
  return pause(*context.executor(), context, length);
}

}  // namespace skald::plugin
