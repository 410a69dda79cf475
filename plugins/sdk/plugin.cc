#include "plugins/sdk/plugin.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "plugins/sdk/fields.h"
#include "plugins/sdk/text.h"
#include "plugins/sdk/threads.h"

namespace skald::plugin {
namespace {

constexpr std::chrono::milliseconds kPastDeadline(50);

json sandbox_of(const json& holder) {
  return holder.is_object() && holder.contains("sandbox") ? holder["sandbox"] : json();
}

}  // namespace

Plugin* Plugin::self_ = nullptr;

const skald_plugin* Plugin::descriptor() {
  self_ = this;
  name_pointers_.clear();
  for (const auto& name : names_) name_pointers_.push_back(name.c_str());
  config_schema_ = config_schema();
  descriptor_ = {SKALD_PLUGIN_ABI,
                 name_.c_str(),
                 version_.c_str(),
                 name_pointers_.data(),
                 name_pointers_.size(),
                 config_schema_.c_str(),
                 &init,
                 &execute,
                 &shutdown};
  return &descriptor_;
}

void Plugin::activity(const std::string& name, Activity run) {
  names_.push_back(name);
  entries_.push_back({std::move(run), {}, {}});
}

void Plugin::async_activity(const std::string& name, AsyncActivity run) {
  names_.push_back(name);
  entries_.push_back({{}, std::move(run), {}});
}

void Plugin::effect(const std::string& name, Effect effect) {
  names_.push_back(name);
  entries_.push_back({{}, {}, std::move(effect)});
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
  const bool effects =
      std::any_of(entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.effect.run != nullptr; });
  if (!effects && !has_tables()) return;
  auto store = open_plugin_store(copied(data_path), name_, schema());
  store->begin([] { return std::vector<std::string>(); }, true);
  create_tables(*store);
  store->commit();
  ledger_ = std::make_unique<EffectLedger>(std::move(store));
}

// Whether create_tables() makes any.
bool Plugin::has_tables() {
  struct Seen {};
  struct Probe final : EffectStore {
    std::vector<Row> run(std::string_view, std::initializer_list<Value>) override { throw Seen(); }
    int64_t changed() override { throw Seen(); }
  } probe;
  try {
    create_tables(probe);
    return false;
  } catch (const Seen&) {
    return true;
  }
}

void Plugin::shutdown() { self_->close(); }

// Who waits is woken, and goes on in the pool and with the ledger until nobody is left.
void Plugin::close() {
  {
    std::lock_guard lock(service_mutex_);
    if (later_ != nullptr) later_->hurry();
    if (service_ != nullptr) service_->stop();
  }
  coroutines_.wait_none();
  if (later_ != nullptr) later_->close();
  ledger_.reset();
  service_.reset();
  later_.reset();
}

Service& Plugin::service(MakeService make) {
  std::lock_guard lock(service_mutex_);
  if (service_ == nullptr) {
    const json section = config_.contains("http") ? config_["http"] : json();
    service_ = make(http_options(section, config_folder()), *later_);
    if (later_->stopping()) service_->stop();
  }
  return *service_;
}

void Plugin::execute(const skald_task* task, skald_call* call) {
  auto context = std::make_shared<Context>(self_->host_, *task, call, self_->later_.get());
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
  if (at == names_.end()) throw ActivityError("NotFoundError", "no activity " + context->activity, false);
  const Entry& entry = entries_[static_cast<size_t>(at - names_.begin())];
  Fault fault;
  if (sandbox_) {
    const json asked = sandbox_of(input), configured = sandbox_of(config_);
    fault = fault_for({name_, context->activity, entry.effect.step, context->attempt, context->idempotency_key},
                      {&asked, &configured});
  }
  if (fault.kind == Fault::Kind::kFail) throw ActivityError(fault.type, fault.message, fault.non_retryable);
  if (entry.async_activity) return run_async(context, entry, std::move(input), fault);
  auto begin = [this, context, &entry, fault, input = std::move(input)]() mutable {
    if (entry.activity) return run_activity(context, entry, std::move(input), fault);
    try {
      run_effect(context, entry, std::move(input), fault);
    } catch (...) {
      context->fail(current_failure());
    }
  };
  const bool delayed = fault.kind == Fault::Kind::kDelay;
  if (entry.effect.run && !delayed) return begin();
  later_->run(delayed ? fault.delay : std::chrono::milliseconds(0), std::move(begin));
}

void Plugin::answer(const std::shared_ptr<Context>& context, const Fault& fault, const std::string& outcome,
                    std::optional<ActivityFailure> failure) {
  if (fault.kind == Fault::Kind::kTimeout) {
    return later_->run(context->remaining() + kPastDeadline, [context] { context->complete("null"); });
  }
  if (failure) return context->fail(*failure);
  if (fault.kind == Fault::Kind::kLoseAnswer) {
    return context->fail({"AnswerLost", "the sandbox was told to lose this answer", ""});
  }
  context->complete(outcome);
}

}  // namespace skald::plugin
