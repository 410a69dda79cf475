#include "plugins/sdk/plugin.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "plugins/sdk/fields.h"

namespace skald::plugin {
namespace {

constexpr int64_t kThreads = 64;
constexpr int64_t kMostThreads = 10000;

std::string copy(skald_text text) { return {text.data == nullptr ? "" : text.data, text.size}; }
skald_text view(const std::string& text) { return {text.data(), text.size()}; }

std::chrono::milliseconds until_after(int64_t deadline_unix_ms) {
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  return std::max(std::chrono::milliseconds(deadline_unix_ms) - now, std::chrono::milliseconds(0)) +
         std::chrono::milliseconds(50);
}

json sandbox_of(const json& holder) {
  return holder.is_object() && holder.contains("sandbox") ? holder["sandbox"] : json();
}

std::string listed(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

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

}  // namespace

Plugin* Plugin::self_ = nullptr;

Context::Context(const skald_host* host, const skald_task& task, skald_call* call)
    : activity(copy(task.activity)),
      idempotency_key(copy(task.idempotency_key)),
      namespace_name(copy(task.namespace_name)),
      workflow_id(copy(task.workflow_id)),
      workflow_type(copy(task.workflow_type)),
      run_id(copy(task.run_id)),
      activity_id(copy(task.activity_id)),
      attempt(task.attempt),
      deadline_unix_ms(task.deadline_unix_ms),
      host_(host),
      call_(call),
      heartbeat_details_(copy(task.heartbeat_details_json)) {}

json Context::last_heartbeat() const { return heartbeat_details_.empty() ? json() : json::parse(heartbeat_details_); }

void Context::heartbeat(const json& details) {
  const std::string text = details.dump();
  host_->heartbeat(call_, view(text));
}

void Context::fail(const ActivityFailure& failure) {
  if (failure.cancelled) return host_->cancelled(call_);
  skald_failure out{};
  out.type = view(failure.type);
  out.message = view(failure.message);
  out.details = view(failure.details);
  out.non_retryable = failure.non_retryable ? 1 : 0;
  out.next_retry_delay_ms = failure.next_retry_delay_ms;
  host_->fail(call_, &out);
}

const skald_plugin* Plugin::descriptor() {
  self_ = this;
  name_pointers_.clear();
  for (const auto& name : names_) name_pointers_.push_back(name.c_str());
  descriptor_ = {SKALD_PLUGIN_ABI, name_.c_str(), version_.c_str(), name_pointers_.data(), name_pointers_.size(),
                 nullptr,          &init,         &execute,         &shutdown};
  return &descriptor_;
}

void Plugin::activity(const std::string& name, Activity run) {
  names_.push_back(name);
  entries_.push_back({std::move(run), {}});
}

void Plugin::effect(const std::string& name, Effect effect) {
  names_.push_back(name);
  entries_.push_back({{}, std::move(effect)});
}

void Plugin::check_config() const {
  std::vector<std::string> known = {"limits", "threads"};
  if (sandbox_) known.push_back("sandbox");
  known.insert(known.end(), settings_.begin(), settings_.end());
  for (const auto& [key, value] : config_.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw std::runtime_error("there is no setting '" + key + "': use " + listed(known));
  }
  if (!sandbox_) return;
  const json sandbox = sandbox_of(config_);
  check_sandbox(sandbox);
  for (const auto& [name, spec] : sandbox.items()) {
    if (!is_faulty_name(name)) {
      throw std::runtime_error("sandbox." + name + ": plugin " + name_ + " has no such activity or step; there are " +
                               listed(names_));
    }
  }
}

// Whether a fault may be named so: by an activity, with or without the plugin's name, or by a step.
bool Plugin::is_faulty_name(const std::string& name) const {
  for (size_t i = 0; i < names_.size(); ++i) {
    if (name == names_[i] || name == name_ + "." + names_[i]) return true;
    if (!name.empty() && name == entries_[i].effect.step) return true;
  }
  return false;
}

int Plugin::init(const skald_host* host, skald_text config, skald_text data_path, char* error, size_t error_size) {
  try {
    self_->host_ = host;
    self_->open(config, data_path);
    return 0;
  } catch (const std::exception& e) {
    std::snprintf(error, error_size, "%s", e.what());
    return 1;
  }
}

void Plugin::open(skald_text config, skald_text data_path) {
  config_ = config.size == 0 ? json::object() : json::parse(config.data, config.data + config.size);
  check_config();
  const int64_t threads = has_field(config_, "threads") ? whole_number(config_, "threads", 1, kMostThreads) : kThreads;
  later_ = std::make_unique<Later>(static_cast<size_t>(threads));
  if (std::none_of(entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.effect.run != nullptr; }))
    return;
  auto store = open_plugin_store(copy(data_path), name_, schema());
  store->begin([] { return std::vector<std::string>(); }, true);
  create_tables(*store);
  store->commit();
  ledger_ = std::make_unique<EffectLedger>(std::move(store));
}

void Plugin::shutdown() {
  if (self_->later_ != nullptr) self_->later_->close();
  self_->ledger_.reset();
  self_->later_.reset();
}

void Plugin::execute(const skald_task* task, skald_call* call) {
  auto context = std::make_shared<Context>(self_->host_, *task, call);
  try {
    self_->start(context, task->input_json.size == 0
                              ? json()
                              : json::parse(task->input_json.data, task->input_json.data + task->input_json.size));
  } catch (...) {
    context->fail(current_failure());
  }
}

void Plugin::start(const std::shared_ptr<Context>& context, json input) {
  const auto at = std::find(names_.begin(), names_.end(), context->activity);
  if (at == names_.end()) throw ActivityError("NotFoundError", "no activity " + context->activity, true);
  const Entry& entry = entries_[static_cast<size_t>(at - names_.begin())];
  Fault fault;
  if (sandbox_) {
    const json asked = sandbox_of(input), configured = sandbox_of(config_);
    fault = fault_for({name_, context->activity, entry.effect.step, context->attempt, context->idempotency_key},
                      {&asked, &configured});
  }
  if (fault.kind == Fault::Kind::kFail) throw ActivityError(fault.type, fault.message, fault.non_retryable);
  auto begin = [this, context, &entry, fault, input = std::move(input)]() mutable {
    if (entry.activity) return run_activity(context, entry, std::move(input), fault);
    try {
      run_effect(context, entry, std::move(input), fault);
    } catch (...) {
      context->fail(current_failure());
    }
  };
  const bool delayed = fault.kind == Fault::Kind::kDelay;
  if (!entry.activity && !delayed) return begin();
  later_->run(delayed ? fault.delay : std::chrono::milliseconds(0), std::move(begin));
}

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

void Plugin::run_effect(const std::shared_ptr<Context>& context, const Entry& entry, json input, const Fault& fault) {
  const Effect& effect = entry.effect;
  EffectRequest request;
  if (!effect.step.empty()) {
    const std::string reference = effect.reference ? effect.reference(input) : "";
    // A compensation may be asked for by another workflow than the one that acted.
    const std::string workflow =
        effect.undoes.empty() ? context->workflow_id : optional_text(input, "workflow_id", context->workflow_id);
    request.key = effect_key({context->namespace_name, workflow, effect.step, reference});
    if (!effect.undoes.empty())
      request.undoes = effect_key({context->namespace_name, workflow, effect.undoes, reference});
    request.binding = binding_text(effect, context->activity, input);
  }
  request.lose_answer = fault.kind == Fault::Kind::kLoseAnswer || fault.kind == Fault::Kind::kTimeout;
  struct Applied {
    json input, partner;
    std::string key, undoes;
  };
  auto applied = std::make_shared<Applied>(Applied{std::move(input), {}, request.key, request.undoes});
  const auto call = [applied, context](EffectStore& db) {
    return EffectCall{db, applied->input, *context, applied->key, applied->undoes, applied->partner};
  };
  if (effect.partner) {
    request.partner = [applied, call, &effect](EffectStore& db) {
      EffectCall seen = call(db);
      applied->partner = effect.partner(seen);
    };
  }
  request.run = [call, &effect](EffectStore& db) {
    EffectCall seen = call(db);
    return outcome_text(effect.run(seen));
  };
  ledger_->apply(std::move(request),
                 [this, context, fault](const std::string& outcome, std::optional<ActivityFailure> failure) {
                   answer(context, fault, outcome, std::move(failure));
                 });
}

void Plugin::answer(const std::shared_ptr<Context>& context, const Fault& fault, const std::string& outcome,
                    std::optional<ActivityFailure> failure) {
  if (fault.kind == Fault::Kind::kTimeout) {
    return later_->run(until_after(context->deadline_unix_ms), [context] { context->complete("null"); });
  }
  if (failure) return context->fail(*failure);
  if (fault.kind == Fault::Kind::kLoseAnswer) {
    return context->fail({"AnswerLost", "the sandbox was told to lose this answer", ""});
  }
  context->complete(outcome);
}

}  // namespace skald::plugin
