#include <memory>

#include "plugins/llm/budget.h"
#include "plugins/llm/cache.h"
#include "plugins/llm/clock.h"
#include "plugins/llm/conversation.h"
#include "plugins/llm/decide.h"
#include "plugins/llm/decisions.h"
#include "plugins/llm/services.h"
#include "plugins/sdk/fields.h"
#include "plugins/sdk/plugin.h"

// Decisions by a model: docs/llm.md.
namespace skald::plugin::llm {
namespace {

class Llm final : public Plugin, private Books {
 public:
  Llm() : Plugin("llm", "0.1.0") {
    settings(settings_schema());
    add("decide", [](Room& room, Context& context, const json& input) { return room.decider.decide(context, input); });
    add("chat", [](Room& room, Context& context, const json& input) { return room.services.chat(context, input); });
    add("embed", [](Room& room, Context& context, const json& input) { return room.services.embed(context, input); });
    add("learn", [](Room& room, Context& context, const json& input) { return room.services.learn(context, input); });
    add("search", [](Room& room, Context& context, const json& input) { return room.services.search(context, input); });
    read("decision", show_decision);
    read("decisions", list_decisions);
    read("await_person", await_person);
    read("confirm", confirm_decision);
    effect("forget", {.run = [](EffectCall& call) {
             const std::string document = required_text(call.input, "document");
             const int64_t chunks = Knowledge::forget(call.db, call.context.namespace_name, document);
             return json{{"document", document}, {"forgotten", chunks > 0}, {"chunks", chunks}};
           }});
    effect("usage", {.run = [this](EffectCall& call) {
             const int64_t now = now_ms();
             const std::string& ns = call.context.namespace_name;
             return usage(call.db, {ns, iso_day(now)}, room_->settings.budget(ns), now);
           }});
  }

 protected:
  // Each start begins here: with its configuration, and with what the tables hold.
  void create_tables(EffectStore& db) override {
    create_decision_table(db);
    create_conversation_table(db);
    create_budget_tables(db);
    create_cache_table(db);
    Knowledge::create_tables(db);
    room_ = std::make_unique<Room>(*this, read_settings(config(), config_folder()));
    room_->knowledge.refresh_all(db);
  }

 private:
  struct Room {
    Room(Llm& llm, Settings settings_)
        : settings(std::move(settings_)),
          prompts(settings.prompts),
          endpoint(settings, [&llm]() -> HttpClient& { return llm.http(); }),
          decider(settings, llm, endpoint, prompts, knowledge),
          services(settings, llm, endpoint, knowledge) {}

    const Settings settings;
    PromptLibrary prompts;
    Knowledge knowledge;
    const Endpoint endpoint;
    Decider decider;
    Services services;
  };
  using Asking = Async<json> (*)(Room&, Context&, const json& input);
  using Reading = json (*)(EffectStore&, const std::string& namespace_name, const json& input);

  // Asks the endpoint.
  void add(const std::string& name, Asking run) {
    async_activity(name, [this, name, run](Context& context, const json& input) {
      const Settings& s = room_->settings;
      const bool decides = name == "decide";
      if (s.url.empty() || (decides && s.prompts.empty())) {
        throw ActivityError(
            "LlmNotConfigured",
            std::string("the plugin's configuration, llm.json, needs \"url\"") + (decides ? " and \"prompts\"" : ""),
            true);
      }
      return run(*room_, context, input);
    });
  }

  // Reads the book of decisions, or writes what may be written again.
  void read(const std::string& name, Reading run) {
    effect(name, {.run = [run](EffectCall& call) { return run(call.db, call.context.namespace_name, call.input); }});
  }

  Async<json> apply(Context& context, std::function<json(EffectStore&)> run) override {
    Effect effect;
    effect.run = [run = std::move(run)](EffectCall& call) { return run(call.db); };
    return Plugin::apply(context, std::move(effect), json());
  }

  std::unique_ptr<Room> room_;
};

}  // namespace
}  // namespace skald::plugin::llm

SKALD_PLUGIN(skald::plugin::llm::Llm)
