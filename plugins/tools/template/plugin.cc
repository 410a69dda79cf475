// Keeps how much of each article people want, in a database of its own.
#include <chrono>

#include "plugins/sdk/fields.h"
#include "plugins/sdk/plugin.h"

using namespace skald::plugin;

namespace {

std::string wish_id(const json& input) { return required_text(input, "wish_id"); }

// An effect: happens once for each wish_id, whoever asks for it and however often it is asked for.
json wish(EffectCall& call) {
  const std::string article = required_text(call.input, "article");
  const int64_t quantity = whole_number(call.input, "quantity", 1, 1000000);
  if (article == "moon") throw ActivityError("NotForSale", "the moon is not for sale", true);
  call.db.run("INSERT INTO wishes (wish_key, article, quantity) VALUES (?, ?, ?)", {call.key, article, quantity});
  return {{"wished", quantity}};
}

// Its compensation: call.undoes is the key of the effect that it undoes.
json forget(EffectCall& call) {
  call.db.run("DELETE FROM wishes WHERE wish_key = ?", {call.undoes});
  return {{"undone", true}};
}

// A read: nothing is recorded of it.
json wanted(EffectCall& call) {
  const std::string article = required_text(call.input, "article");
  return {{"wanted", number(call.db.run("SELECT COALESCE(SUM(quantity), 0) FROM wishes WHERE article = ?", {article})[0][0])}};
}

class @Name@ final : public Plugin {
 public:
  @Name@() : Plugin("@name@", "1.0.0") {
    settings({{"greeting", {{"type", "string"}, {"default", "Hello"}, {"description", "How greet begins"}}},
              {"token", {{"type", "string"}, {"secret", true}, {"description", "Of a partner; env:NAME or file:PATH"}}}});
    effect("wish", {.step = "wish", .reference = wish_id, .binding = {"article", "quantity"}, .run = wish});
    effect("forget", {.step = "forget", .undoes = "wish", .reference = wish_id, .run = forget});
    effect("wanted", {.run = wanted});
    async_activity("greet", [this](Context& context, const json& input) { return greet(context, input); });
  }

 protected:
  void create_tables(EffectStore& db) override {
    db.run("CREATE TABLE IF NOT EXISTS wishes (wish_key VARCHAR(2048) PRIMARY KEY, article VARCHAR(255), quantity BIGINT)");
  }

 private:
  // Takes its time, without a thread of its own: thousands of these may wait. A partner over the network is called in
  // the same way: HttpRequest request{…}; auto reply = co_await http().send(context, std::move(request));
  Async<json> greet(Context& context, const json& input) {
    const std::string who = required_text(input, "who");
    const int64_t steps = whole_number(input, "steps", 0, 1000);
    for (int64_t step = 1; step <= steps; ++step) {
      context.heartbeat({{"step", step}});
      co_await sleep(context, std::chrono::milliseconds(200));
    }
    co_return config().value("greeting", "Hello") + ", " + who + "!";
  }
};

}  // namespace

SKALD_PLUGIN(@Name@)
