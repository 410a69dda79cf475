#include "plugins/sdk/plugin.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace skald::plugin {
namespace {

std::string copy(skald_text text) { return {text.data == nullptr ? "" : text.data, text.size}; }
skald_text view(const std::string& text) { return {text.data(), text.size()}; }

std::chrono::milliseconds until_after(int64_t deadline_unix_ms) {
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  return std::max(std::chrono::milliseconds(deadline_unix_ms) - now, std::chrono::milliseconds(0)) +
         std::chrono::milliseconds(50);
}

// What the sandbox is told to do with this step: by the input's `inject`, else by the configuration's.
std::string injected(const json& input, const json& config, const std::string& step) {
  for (const json* source : {&input, &config}) {
    if (step.empty() || !source->is_object() || !source->contains("inject")) continue;
    const json& inject = source->at("inject");
    if (inject.is_object() && inject.value("step", "") == step) return inject.value("kind", "");
  }
  return "";
}

}  // namespace

Plugin* Plugin::self_ = nullptr;

Context::Context(const skald_host* host, const skald_task& task, skald_call* call)
    : activity(copy(task.activity)),
      idempotency_key(copy(task.idempotency_key)),
      workflow_id(copy(task.workflow_id)),
      workflow_type(copy(task.workflow_type)),
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

void Context::fail(std::exception_ptr error) noexcept {
  std::string type = "PluginError", message = "an exception that is not a std::exception", details;
  skald_failure failure{};
  try {
    std::rethrow_exception(std::move(error));
  } catch (const ActivityError& e) {
    type = e.type;
    message = e.what();
    if (!e.details.is_null()) details = e.details.dump(-1, ' ', false, json::error_handler_t::replace);
    failure.non_retryable = e.non_retryable;
    failure.next_retry_delay_ms = e.next_retry_delay_ms;
  } catch (const json::exception& e) {
    type = "InvalidInput";
    message = e.what();
    failure.non_retryable = true;
  } catch (const std::exception& e) {
    message = e.what();
  } catch (...) {
  }
  failure.type = view(type);
  failure.message = view(message);
  failure.details = view(details);
  host_->fail(call_, &failure);
}

const skald_plugin* Plugin::descriptor() {
  self_ = this;
  name_pointers_.clear();
  for (const auto& name : names_) name_pointers_.push_back(name.c_str());
  descriptor_ = {SKALD_PLUGIN_ABI,      name_.c_str(), version_.c_str(), name_pointers_.data(),
                 name_pointers_.size(), &init,         &execute,         &shutdown};
  return &descriptor_;
}

void Plugin::activity(const std::string& name, Activity run) {
  names_.push_back(name);
  entries_.push_back({std::move(run), {}, {}, {}});
}

void Plugin::effect(const std::string& name, Key key, Effect run, std::string step) {
  names_.push_back(name);
  entries_.push_back({{}, std::move(key), std::move(run), std::move(step)});
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
  later_ = std::make_unique<Later>(2);
  auto store = open_sqlite_store(copy(data_path) + "." + name_ + ".sqlite");
  create_tables(*store);
  ledger_ = std::make_unique<EffectLedger>(std::move(store));
}

void Plugin::shutdown() {
  self_->ledger_.reset();
  self_->later_.reset();
}

void Plugin::execute(const skald_task* task, skald_call* call) {
  auto context = std::make_shared<Context>(self_->host_, *task, call);
  try {
    const auto at = std::find(self_->names_.begin(), self_->names_.end(), context->activity);
    if (at == self_->names_.end()) throw ActivityError("NotFoundError", "no activity " + context->activity, true);
    const Entry& entry = self_->entries_[static_cast<size_t>(at - self_->names_.begin())];
    json input = task->input_json.size == 0
                     ? json()
                     : json::parse(task->input_json.data, task->input_json.data + task->input_json.size);
    if (entry.effect) return self_->run_effect(context, entry, std::move(input));
    self_->later_->run({}, [context, run = entry.activity, input = std::move(input)] {
      std::string result;
      try {
        result = run(*context, input).dump();
      } catch (...) {
        return context->fail(std::current_exception());
      }
      context->complete(result);
    });
  } catch (...) {
    context->fail(std::current_exception());
  }
}

void Plugin::run_effect(const std::shared_ptr<Context>& context, const Entry& entry, json input) {
  const std::string kind = injected(input, config_, entry.step);
  if (kind == "fail") {
    throw ActivityError("Rejected", "the sandbox was told to refuse " + entry.step, true);
  }
  EffectKey key = entry.key ? entry.key(input) : EffectKey{};
  const bool first = context->attempt <= 1;
  const auto answer = [this, context, kind, first](std::string outcome, std::exception_ptr error) {
    if (error) return context->fail(error);
    if (first && kind == "timeout") {
      return later_->run(until_after(context->deadline_unix_ms), [context, outcome] { context->complete(outcome); });
    }
    if (first && kind == "lost_answer") {
      return context->fail(
          std::make_exception_ptr(ActivityError("AnswerLost", "the sandbox was told to lose this answer")));
    }
    context->complete(outcome);
  };
  auto apply = [this, key = std::move(key), answer, body = entry.effect, input = std::move(input)] {
    ledger_->apply(
        key, [body, input](EffectStore& store) { return body(store, input).dump(); }, answer);
  };
  if (first && kind == "delay") return later_->run(std::chrono::milliseconds(100), std::move(apply));
  apply();
}

}  // namespace skald::plugin
