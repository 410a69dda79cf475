#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "plugins/sdk/activity_failure.h"
#include "plugins/sdk/async.h"
#include "plugins/sdk/context.h"
#include "plugins/sdk/effect_ledger.h"
#include "plugins/sdk/http.h"
#include "plugins/sdk/later.h"
#include "plugins/sdk/running.h"
#include "plugins/sdk/sandbox.h"
#include "plugins/sdk/skald_plugin.h"

namespace skald::plugin {

// What an effect sees while it is applied.
struct EffectCall {
  EffectStore& db;
  const json& input;
  const Context& context;
  const std::string& key;     // the effect's own
  const std::string& undoes;  // a compensation: its action's key
  const std::string& of;      // the key of what it goes on with, as it was done last; empty: there is none under its id
  json decision;              // what `decide` said, on this attempt or an earlier one; null when there is none
  json partner;               // what `partner` answered; null when there is none
};

// An effect on the plugin's tables, through the ledger: effect_request.h has the rules. What it is known by is its
// namespace, step and reference, whoever asks for it.
struct Effect {
  using Reference = std::function<EffectId(const json& input)>;
  enum class Scope { kNamespace, kWorkflow };

  std::string step;                  // names the effect, e.g. "reserve"; empty: it is not recorded
  std::string undoes;                // a compensation: the step of its action, of the same reference
  std::string of;                    // the step of what it goes on with, e.g. a capture with a payment
  Reference of_which;                // and its reference
  Reference reference;               // which one; none, or an empty one: one a workflow
  Scope scope = Scope::kNamespace;   // kWorkflow: references are the workflow's own, and others' mean something else
  std::vector<std::string> binding;  // fields of the input that must not differ when the effect is asked for again
  std::function<json(EffectCall&)> decide;  // before the partner is asked, once for all attempts
  std::function<json(EffectCall&)> partner;
  std::function<json(EffectCall&)> run;
  bool reads = false;  // it has no step and changes nothing: it is done beside the writers, on what was committed
};

// What authors derive from. The constructor registers activities; everything else is called by the host through the C
// interface.
class Plugin {
 public:
  using Activity = std::function<json(Context&, const json& input)>;
  using AsyncActivity = std::function<Async<json>(Context&, const json& input)>;

  Plugin(std::string name, std::string version) : name_(std::move(name)), version_(std::move(version)) {}
  virtual ~Plugin() = default;

  const skald_plugin* descriptor();

 protected:
  // Runs on a thread of its own out of the plugin's (configuration "threads", 64 by default), and may wait.
  void activity(const std::string& name, Activity run);
  // A coroutine that waits without a thread (async.h): for partners over the network, thousands at a time. Context and
  // input live until it has ended. Between two waits it runs on a thread of the pool, like an activity.
  void async_activity(const std::string& name, AsyncActivity run);
  // Runs on the ledger's thread, between other effects: must not wait.
  void effect(const std::string& name, Effect effect);
  // Lets the configuration's and the input's `sandbox` inject faults. Not for what is not a sandbox.
  void allow_sandbox_faults() { sandbox_ = true; }
  // The plugin's own keys of its configuration, as "properties" of a JSON Schema (draft 7), and those that must be
  // there. Keys that are neither here nor the kit's nor the host's are refused. A text with "secret": true is a
  // reference to a secret in the file, and the secret in config().
  void settings(json properties, std::vector<std::string> required = {});

  // What an async activity waits for. apply() sends an effect, or a read, through the ledger, as effect() does: It is
  // not cut short by a cancellation. sleep() ends early
  // with ActivityCancelled.
  Async<json> apply(Context& context, Effect effect, json input);
  static Async<void> sleep(Context& context, std::chrono::milliseconds length);
  // The plugin's own client, with section "http" of its configuration.
  HttpClient& http() {
    return static_cast<HttpClient&>(service([](HttpOptions options, Executor& executor) {
      return std::unique_ptr<Service>(new HttpClient(std::move(options), executor));
    }));
  }

  // Makes the plugin's tables, if it has any. May be called several times.
  virtual void create_tables(EffectStore&) {}
  virtual int schema() const { return 1; }  // the tables' version: files of another one are refused
  const json& config() const { return config_; }
  // Where the configuration's file is; its relative paths are meant from there. Empty when it is from no file.
  std::string config_folder() const;

 private:
  struct Entry {
    Activity activity;
    AsyncActivity async_activity;
    Effect effect;
  };
  struct Applied;
  using MakeService = std::unique_ptr<Service> (*)(HttpOptions, Executor&);

  static int init(const skald_host* host, skald_text config, skald_text data_path, char* error, size_t error_size);
  static void execute(const skald_task* task, skald_call* call);
  static void shutdown();
  void open(skald_text config, skald_text data_path);
  bool has_tables();
  std::string config_schema() const;
  json activity_kinds() const;
  void check_config() const;
  bool is_faulty_name(const std::string& name) const;
  Service& service(MakeService make);  // only who calls http() is linked with libcurl
  void close();
  void start(const std::shared_ptr<Context>& context, json input);
  void run_activity(const std::shared_ptr<Context>& context, const Entry& entry, json input, const Fault& fault);
  void run_effect(const std::shared_ptr<Context>& context, const Entry& entry, json input, const Fault& fault);
  void run_async(const std::shared_ptr<Context>& context, const Entry& entry, json input, const Fault& fault);
  Detached drive(std::shared_ptr<Context> context, const Entry& entry, json input, Fault fault);
  static EffectRequest effect_request(const std::shared_ptr<Applied>& applied);
  void answer(const std::shared_ptr<Context>& context, const Fault& fault, const std::string& outcome,
              std::optional<ActivityFailure> failure);

  static Plugin* self_;
  std::string name_, version_, config_schema_;
  std::vector<std::string> names_, required_;
  json settings_ = json::object();
  std::vector<const char*> name_pointers_;
  std::vector<Entry> entries_;
  bool sandbox_ = false;
  skald_plugin descriptor_{};
  const skald_host* host_ = nullptr;
  json config_;
  std::unique_ptr<Later> later_;
  std::unique_ptr<EffectLedger> ledger_;
  Running coroutines_;
  std::mutex service_mutex_;
  std::unique_ptr<Service> service_;
};

}  // namespace skald::plugin

// Exports the plugin: once in a shared object, at namespace level. It lives until the process ends: threads that ignore
// their deadline may still be in it then.
#define SKALD_PLUGIN(Type)                                                                              \
  extern "C" __attribute__((visibility("default"))) const skald_plugin* skald_plugin_entry() noexcept { \
    static Type* const plugin = new Type;                                                               \
    return plugin->descriptor();                                                                        \
  }
