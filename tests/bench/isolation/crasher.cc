#include <csignal>
#include <cstdlib>
#include <random>

#include "plugins/sdk/fields.h"
#include "plugins/sdk/plugin.h"

// A plugin with an effect that must happen once, and a share of attempts that crash, before, in and after it.
namespace {

using namespace skald::plugin;

[[noreturn]] void crash(unsigned how) {
  if (how % 3 == 0) std::abort();
  if (how % 3 == 1) std::quick_exit(3);
  raise(SIGSEGV);
  std::abort();
}

class Crasher final : public Plugin {
 public:
  Crasher() : Plugin("crasher", "1.0.0") {
    settings({{"share", {{"type", "number"}}}});
    activity("echo", [](Context&, const json& input) { return input; });
    activity("crash", [](Context&, const json&) -> json { crash(0); });
    activity("work", [this](Context&, const json& input) {
      maybe_crash();
      return input;
    });
    effect("book", {.step = "book", .run = [this](EffectCall& call) -> json {
                      call.db.run("INSERT INTO bookings (k) VALUES (?)", {call.key});
                      number(call.db.run("SELECT COUNT(*) FROM bookings WHERE k = ?", {call.key})[0][0]);
                      maybe_crash();
                      return {{"booked", true}};
                    }});
    effect("count", {.run = [](EffectCall& call) -> json {
             return {{"bookings", number(call.db.run("SELECT COUNT(*) FROM bookings")[0][0])}};
           }});
  }

 protected:
  void create_tables(EffectStore& db) override {
    db.run("CREATE TABLE IF NOT EXISTS bookings (k VARCHAR(2048) PRIMARY KEY)");
  }

 private:
  void maybe_crash() {
    thread_local std::mt19937 random{std::random_device{}()};
    if (std::uniform_real_distribution<>(0, 1)(random) < config().value("share", 0.0)) crash(random());
  }
};

}  // namespace

SKALD_PLUGIN(Crasher)
