#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/sdk/activity_failure.h"
#include "plugins/sdk/effect_ledger.h"
#include "plugins/sdk/later.h"
#include "plugins/sdk/sandbox.h"
#include "plugins/sdk/skald_plugin.h"

namespace skald::plugin {

using json = nlohmann::json;

// One attempt of an activity. Shared by the threads that work on it.
class Context {
 public:
  Context(const skald_host* host, const skald_task& task, skald_call* call);

  const std::string activity;
  const std::string idempotency_key;  // the same on every attempt of this activity
  const std::string namespace_name, workflow_id, workflow_type, run_id, activity_id;
  const int attempt;  // from 1
  const int64_t deadline_unix_ms;

  json last_heartbeat() const;  // of the attempt before; null when there was none
  void heartbeat(const json& details);
  // True when going on is useless: throw ActivityCancelled then. The server's wish is learnt by heartbeats.
  bool cancelled() const { return host_->cancel_requested(call_) != 0; }
  void log(int level, std::string_view text) const { host_->log(level, {text.data(), text.size()}); }

  // The answer: exactly one. The kit gives it from what an activity returns or throws.
  void complete(std::string_view result_json) { host_->complete(call_, {result_json.data(), result_json.size()}); }
  void fail(const ActivityFailure& failure);

 private:
  const skald_host* host_;
  skald_call* call_;
  std::string heartbeat_details_;
};

// What an effect sees while it is applied.
struct EffectCall {
  EffectStore& db;
  const json& input;
  const Context& context;
  const std::string& key;     // the effect's own
  const std::string& undoes;  // a compensation: its action's key
  json partner;               // what `partner` answered; null when there is none
};

// An effect on the plugin's tables, through the ledger: effect_ledger.h has the rules. Its key is
// namespace / workflow id / step / reference.
struct Effect {
  std::string step;    // names the effect, e.g. "reserve"; empty: a read, which is not recorded
  std::string undoes;  // a compensation: the step of its action, of the same workflow and reference
  std::function<std::string(const json& input)> reference;  // which one of the workflow's; none: one a workflow
  std::vector<std::string> binding;  // fields of the input that must not differ when the effect is asked for again
  std::function<json(EffectCall&)> partner;
  std::function<json(EffectCall&)> run;
};

// What authors derive from. The constructor registers activities; everything else is called by the host through the C
// interface.
class Plugin {
 public:
  using Activity = std::function<json(Context&, const json& input)>;

  Plugin(std::string name, std::string version) : name_(std::move(name)), version_(std::move(version)) {}
  virtual ~Plugin() = default;

  const skald_plugin* descriptor();

 protected:
  // Runs on a thread of its own out of the plugin's (configuration "threads", 64 by default), and may wait.
  void activity(const std::string& name, Activity run);
  // Runs on the ledger's thread, between other effects: must not wait.
  void effect(const std::string& name, Effect effect);
  // Lets the configuration's and the input's `sandbox` inject faults. Not for what is not a sandbox.
  void allow_sandbox_faults() { sandbox_ = true; }
  // Names a key of the configuration that this plugin reads with config(). Keys that nobody reads are refused.
  void setting(const std::string& key) { settings_.push_back(key); }

  virtual void create_tables(EffectStore&) {}
  virtual int schema() const { return 1; }  // the tables' version: files of another one are refused
  const json& config() const { return config_; }

 private:
  struct Entry {
    Activity activity;
    Effect effect;
  };
  static int init(const skald_host* host, skald_text config, skald_text data_path, char* error, size_t error_size);
  static void execute(const skald_task* task, skald_call* call);
  static void shutdown();
  void open(skald_text config, skald_text data_path);
  void check_config() const;
  bool is_faulty_name(const std::string& name) const;
  void start(const std::shared_ptr<Context>& context, json input);
  void run_activity(const std::shared_ptr<Context>& context, const Entry& entry, json input, const Fault& fault);
  void run_effect(const std::shared_ptr<Context>& context, const Entry& entry, json input, const Fault& fault);
  void answer(const std::shared_ptr<Context>& context, const Fault& fault, const std::string& outcome,
              std::optional<ActivityFailure> failure);

  static Plugin* self_;
  std::string name_, version_;
  std::vector<std::string> names_, settings_;
  std::vector<const char*> name_pointers_;
  std::vector<Entry> entries_;
  bool sandbox_ = false;
  skald_plugin descriptor_{};
  const skald_host* host_ = nullptr;
  json config_;
  std::unique_ptr<Later> later_;
  std::unique_ptr<EffectLedger> ledger_;
};

}  // namespace skald::plugin

// Exports the plugin: once in a shared object, at namespace level. It lives until the process ends: threads that ignore
// their deadline may still be in it then.
#define SKALD_PLUGIN(Type)                                                                              \
  extern "C" __attribute__((visibility("default"))) const skald_plugin* skald_plugin_entry() noexcept { \
    static Type* const plugin = new Type;                                                               \
    return plugin->descriptor();                                                                        \
  }
