#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/sdk/activity_error.h"
#include "plugins/sdk/effect_ledger.h"
#include "plugins/sdk/later.h"
#include "plugins/sdk/skald_plugin.h"

namespace skald::plugin {

using json = nlohmann::json;

// One attempt of an activity. Lives until its answer; shared by the threads that work on it.
class Context {
 public:
  Context(const skald_host* host, const skald_task& task, skald_call* call);

  const std::string activity, idempotency_key, workflow_id, workflow_type;
  const int attempt;
  const int64_t deadline_unix_ms;

  json last_heartbeat() const;  // null when there was none
  void heartbeat(const json& details);
  bool cancelled() const { return host_->cancel_requested(call_) != 0; }
  void log(int level, std::string_view text) const { host_->log(level, {text.data(), text.size()}); }

  // The answer: exactly one.
  void complete(std::string_view result_json) { host_->complete(call_, {result_json.data(), result_json.size()}); }
  void fail(std::exception_ptr error) noexcept;

 private:
  const skald_host* host_;
  skald_call* call_;
  std::string heartbeat_details_;
};

// What authors derive from. The constructor registers activities; everything else is called by the host through the C
// interface.
class Plugin {
 public:
  using Activity = std::function<json(Context&, const json& input)>;
  using Key = std::function<EffectKey(const json& input)>;
  using Effect = std::function<json(EffectStore&, const json& input)>;

  Plugin(std::string name, std::string version) : name_(std::move(name)), version_(std::move(version)) {}
  virtual ~Plugin() = default;

  const skald_plugin* descriptor();

 protected:
  void activity(const std::string& name, Activity run);  // on a thread of the kit; may wait
  void effect(const std::string& name, Key key, Effect run,
              std::string step = "");  // through the ledger; `step` names it for the sandbox
  virtual void create_tables(EffectStore&) {}
  const json& config() const { return config_; }

 private:
  struct Entry {
    Activity activity;
    Key key;
    Effect effect;
    std::string step;
  };
  static int init(const skald_host* host, skald_text config, skald_text data_path, char* error, size_t error_size);
  static void execute(const skald_task* task, skald_call* call);
  static void shutdown();
  void open(skald_text config, skald_text data_path);
  void run_effect(const std::shared_ptr<Context>& context, const Entry& entry, json input);

  static Plugin* self_;
  std::string name_, version_;
  std::vector<std::string> names_;
  std::vector<const char*> name_pointers_;
  std::vector<Entry> entries_;
  skald_plugin descriptor_{};
  const skald_host* host_ = nullptr;
  json config_;
  std::unique_ptr<Later> later_;
  std::unique_ptr<EffectLedger> ledger_;
};

}  // namespace skald::plugin

// Exports the plugin: once in a shared object, at namespace level.
#define SKALD_PLUGIN(Type)                                                                              \
  extern "C" __attribute__((visibility("default"))) const skald_plugin* skald_plugin_entry() noexcept { \
    static Type plugin;                                                                                 \
    return plugin.descriptor();                                                                         \
  }
