#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kActivities[] = R"(
local skald = require "skald"
local shop = skald.activities("shop", { start_to_close = "5s", retry = { initial = "200ms", non_retryable = { "OutOfStock" } } })
)";

std::string with_shop(const std::string& body) { return std::string(kActivities) + body; }

// Every finished history must replay, both with a worker that knew the run and with one that replayed at every task.
void expect_replays(HistoryDriver& driver) { EXPECT_EQ(driver.replay(), "") << driver.history().ShortDebugString(); }

TEST(Workflow, ReturnsWhatItsFunctionReturns) {
  HistoryDriver driver("return function(a, b) return { sum = a + b } end");
  driver.start({"2", "3"});
  driver.run();
  EXPECT_EQ(driver.status(), "completed");
  EXPECT_EQ(driver.result(), R"({"sum":5})");
  expect_replays(driver);
}

TEST(Workflow, RunsActivitiesOneAfterTheOther) {
  HistoryDriver driver(with_shop(R"(
    return function(order)
      local reservation = shop.reserve { order = order.id }
      return shop.ship(reservation.id, "express")
    end)"));
  driver.on_activity("shop.reserve", [](const auto& arguments) {
    EXPECT_THAT(arguments, ElementsAre(R"({"order":"17"})"));
    return Outcome::result(R"({"id":"r-1"})");
  });
  driver.on_activity("shop.ship", [](const auto& arguments) {
    EXPECT_THAT(arguments, ElementsAre(R"("r-1")", R"("express")"));
    return Outcome::result(R"({"parcel":"p-1"})");
  });
  driver.start({R"({"id":"17"})"});
  driver.run();
  EXPECT_EQ(driver.result(), R"({"parcel":"p-1"})") << driver.task_failure_text();
  EXPECT_THAT(driver.commands(), ElementsAre("activity shop.reserve", "activity shop.ship"));
  expect_replays(driver);
}

TEST(Workflow, GivesTheSameResultWhenReplayedAtEveryTask) {
  HistoryDriver driver(
      with_shop("return function() local a = shop.a(); skald.sleep('1s'); local b = shop.b(a); return a .. b .. "
                "skald.random(1000) end"));
  driver.forget_between_tasks();
  driver.on_activity("shop.a", [](const auto&) { return Outcome::result("\"x\""); });
  driver.on_activity("shop.b", [](const auto&) { return Outcome::result("\"y\""); });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.status(), "completed") << driver.task_failure_text();
  expect_replays(driver);
}

TEST(Workflow, PassesOptionsToActivities) {
  HistoryDriver driver(R"(
    local skald = require "skald"
    local pay = skald.activity("pay", { start_to_close = "1m30s", schedule_to_close = 600, heartbeat = "500ms", task_queue = "payments",
                               retry = { initial = "200ms", backoff = 3, max_interval = "5s", max_attempts = 4, non_retryable = { "Declined" } } })
    return function() pay() end)");
  driver.start();
  driver.run_task();
  ASSERT_THAT(driver.commands(), ElementsAre("activity pay")) << driver.task_failure_text();
  const auto& scheduled = driver.history().events(4).activity_task_scheduled_event_attributes();
  EXPECT_EQ(scheduled.task_queue().name(), "payments");
  EXPECT_EQ(scheduled.start_to_close_timeout().seconds(), 90);
  EXPECT_EQ(scheduled.schedule_to_close_timeout().seconds(), 600);
  EXPECT_EQ(scheduled.heartbeat_timeout().nanos(), 500'000'000);
  EXPECT_EQ(scheduled.retry_policy().initial_interval().nanos(), 200'000'000);
  EXPECT_EQ(scheduled.retry_policy().backoff_coefficient(), 3);
  EXPECT_EQ(scheduled.retry_policy().maximum_interval().seconds(), 5);
  EXPECT_EQ(scheduled.retry_policy().maximum_attempts(), 4);
  EXPECT_THAT(scheduled.retry_policy().non_retryable_error_types(), ElementsAre("Declined"));
}

TEST(Workflow, CatchesAnActivitysErrorAsATable) {
  HistoryDriver driver(with_shop(R"(
    return function()
      local ok, err = pcall(shop.reserve, {})
      return { ok = ok, kind = err.kind, type = err.type, message = err.message, activity = err.activity, text = tostring(err), is = skald.is_error(err) }
    end)"));
  driver.on_activity("shop.reserve", [](const auto&) { return Outcome::failure("OutOfStock", "only 3 left"); });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(),
            R"({"activity":"shop.reserve","is":true,"kind":"application","message":"only 3 left","ok":false,)"
            R"("text":"OutOfStock: only 3 left","type":"OutOfStock"})");
  expect_replays(driver);
}

TEST(Workflow, FailsWithAnActivitysErrorThatNobodyCatches) {
  HistoryDriver driver(with_shop("return function() shop.reserve() end"));
  driver.on_activity("shop.reserve", [](const auto&) { return Outcome::failure("OutOfStock", "none"); });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.status(), "failed");
  EXPECT_EQ(driver.failure().activity_failure_info().activity_type().name(), "shop.reserve");
  EXPECT_EQ(driver.failure().cause().application_failure_info().type(), "OutOfStock");
  expect_replays(driver);
}

TEST(Workflow, SeesATimeoutsKind) {
  HistoryDriver driver(
      with_shop("return function() local ok, err = pcall(shop.slow); return { err.kind, err.type, err.timeout } end"));
  driver.on_activity("shop.slow", [](const auto&) { return Outcome::timeout(); });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), R"(["timeout","Timeout","start_to_close"])");
}

TEST(Workflow, FailsByItsOwnWill) {
  HistoryDriver driver(R"(
    local skald = require "skald"
    return function() skald.fail { type = "Rejected", message = "too young", details = { age = 15 }, non_retryable = true } end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.status(), "failed");
  const auto& info = driver.failure().application_failure_info();
  EXPECT_EQ(info.type(), "Rejected");
  EXPECT_TRUE(info.non_retryable());
  EXPECT_EQ(info.details().payloads(0).data(), R"({"age":15})");
}

TEST(Workflow, ABugFailsTheTaskWithItsPlaceAndNotTheWorkflow) {
  HistoryDriver driver(with_shop("return function(order)\n  return order.customer.name\nend"));
  driver.start({"{}"});
  driver.run();
  EXPECT_EQ(driver.status(), "open");
  EXPECT_THAT(driver.task_failure_text(), HasSubstr("order.lua:5: attempt to index a nil value (field 'customer')"));
  EXPECT_THAT(driver.task_failure().failure().stack_trace(), HasSubstr("order.lua:5"));
}

TEST(Workflow, AFixedDefinitionGoesOnAfterABug) {
  HistoryDriver broken(with_shop("return function() local a = shop.a(); return a.b.c end"));
  broken.on_activity("shop.a", [](const auto&) { return Outcome::result("{}"); });
  broken.start();
  broken.run();
  EXPECT_THAT(broken.task_failure_text(), HasSubstr("field 'b'"));
  EXPECT_EQ(broken.replay(with_shop("return function() local a = shop.a(); return 'mended' end")), "");
}

TEST(Workflow, RunsBranchesInParallelAndWaitsForAll) {
  HistoryDriver driver(with_shop(R"(
    return function()
      local results = skald.all { stock = shop.stock:start(), score = skald.async(function(x) return shop.score(x) + 1 end, 4) }
      return results
    end)"));
  driver.on_activity("shop.stock", [](const auto&) { return Outcome::result("7"); });
  driver.on_activity("shop.score", [](const auto& arguments) { return Outcome::result(arguments[0]); });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), R"({"score":5,"stock":7})") << driver.task_failure_text();
  EXPECT_THAT(driver.commands(), ElementsAre("activity shop.stock", "activity shop.score"));
  expect_replays(driver);
}

TEST(Workflow, AllThrowsTheFirstErrorAtOnce) {
  HistoryDriver driver(with_shop(R"(
    return function()
      local ok, err = pcall(skald.all, { shop.never:start(), shop.bad:start() })
      return err.type
    end)"));
  driver.on_activity("shop.never", [](const auto&) { return Outcome::silence(); });
  driver.on_activity("shop.bad", [](const auto&) { return Outcome::failure("Bad"); });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), "\"Bad\"");
  expect_replays(driver);
}

TEST(Workflow, RaceTellsWhoCameFirstAndAnyWhoSucceededFirst) {
  HistoryDriver driver(with_shop(R"(
    return function()
      local who = skald.race { activity = shop.never:start(), timer = skald.timer("15m") }
      local key, value = skald.any { shop.bad:start(), shop.good:start() }
      local ok, err = pcall(skald.any, { shop.bad:start() })
      return { who, key, value, err.type }
    end)"));
  driver.on_activity("shop.never", [](const auto&) { return Outcome::silence(); });
  driver.on_activity("shop.bad", [](const auto&) { return Outcome::failure("Bad"); });
  driver.on_activity("shop.good", [](const auto&) { return Outcome::result("\"fine\""); });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), R"(["timer",2,"fine","Bad"])") << driver.task_failure_text();
  expect_replays(driver);
}

TEST(Workflow, WaitingForATableMeansTheFuturesThatWereInIt) {
  HistoryDriver driver(with_shop(R"(
    return function()
      local futures = { shop.good:start(), skald.timer("1m") }
      skald.async(function() skald.sleep("1s"); futures[1] = 5; futures[2] = nil; futures.x = "x" end)
      local values = skald.all(futures)
      return { values[1], #values }
    end)"));
  driver.on_activity("shop.good", [](const auto&) { return Outcome::result("7"); });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), "[7,1]") << driver.task_failure_text();
}

TEST(Workflow, ARaceOfOneFutureUnderManyNamesIsWonByTheLeastName) {
  HistoryDriver driver(with_shop(R"(
    return function()
      local future = shop.good:start()
      local named, mixed = {}, { [3] = future, [2] = future, a = future }
      for c in ("qwertzuiopasdfghjklyxcvbnm"):gmatch(".") do named[c .. "-name"] = future end
      return { (skald.race(named)), (skald.any(mixed)) }
    end)"));
  driver.on_activity("shop.good", [](const auto&) { return Outcome::result("7"); });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), R"(["a-name",2])") << driver.task_failure_text();
}

TEST(Workflow, TriesASignalsNextInACancelledScope) {
  HistoryDriver driver(R"(
    local skald = require "skald"
    return function()
      local ok, err = pcall(skald.scope, function(scope)
        local next = skald.signal("never"):next()
        scope:cancel("enough")
        next:try()
      end)
      return { ok, err.message }
    end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), R"([false,"enough"])") << driver.task_failure_text();
}

TEST(Workflow, TextThatIsNoUtf8ReachesTheApiMendedOrNotAtAll) {
  const auto failing = [](const std::string& body) {
    HistoryDriver driver("local skald = require 'skald'\nreturn function()\n" + body + "\nend");
    driver.start();
    driver.run();
    return driver.status() == "failed" ? driver.failure().message() : driver.task_failure_text();
  };
  const std::string bad = "'bad \\xff'";
  EXPECT_EQ(failing("error(" + bad + ")"), "order.lua:3: bad \xef\xbf\xbd");
  EXPECT_EQ(failing("skald.fail(" + bad + ")"), "bad \xef\xbf\xbd");
  EXPECT_EQ(failing("local t = skald.timer(1); t:cancel(" + bad + "); t:get()"), "bad \xef\xbf\xbd");
  EXPECT_THAT(failing("skald.fail { type = " + bad + " }"), HasSubstr("'type' must be UTF-8"));
  EXPECT_THAT(failing("skald.activity(" + bad + ", { start_to_close = 1 })"), HasSubstr("a name must be UTF-8"));
  EXPECT_THAT(failing("skald.signal_external(" + bad + ", 'x')"), HasSubstr("a name must be UTF-8"));
  EXPECT_THAT(failing("skald.signal('')"), HasSubstr("a name has 1 to 1000 bytes"));
}

TEST(Workflow, SettleNeverThrows) {
  HistoryDriver driver(with_shop(R"(
    return function()
      local all = skald.settle { a = shop.good:start(), b = shop.bad:start() }
      return { all.a.ok, all.a.value, all.b.ok, all.b.error.type }
    end)"));
  driver.on_activity("shop.bad", [](const auto&) { return Outcome::failure("Bad"); });
  driver.on_activity("shop.good", [](const auto&) { return Outcome::result("1"); });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), R"([true,1,false,"Bad"])");
}

TEST(Workflow, SleepsAndTellsTheTimeOfItsTask) {
  HistoryDriver driver(R"(
    local skald = require "skald"
    return function()
      local before = skald.now()
      skald.sleep("1h30m")
      return { skald.now() - before, skald.date(0) }
    end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), R"([5400.0,"1970-01-01T00:00:00.000Z"])") << driver.task_failure_text();
  expect_replays(driver);
}

TEST(Workflow, WaitUntilSeesWhatASignalChangedOrItsTimeIsUp) {
  const std::string source = R"(
    local skald = require "skald"
    return function()
      local paid = false
      skald.on_signal("paid", function(amount) paid = amount end)
      local met = skald.wait_until(function() return paid end, "15m")
      return { met, paid }
    end)";
  HistoryDriver paid(source);
  paid.start();
  paid.run_task();
  paid.signal("paid", {"12"});
  paid.run();
  EXPECT_EQ(paid.result(), "[true,12]");
  EXPECT_THAT(paid.commands(), ElementsAre("timer 15m", "cancel timer"));
  expect_replays(paid);

  HistoryDriver late(source);
  late.start();
  late.run();
  EXPECT_EQ(late.result(), "[false,false]");
  expect_replays(late);
}

TEST(Workflow, ReadsSignalsOneByOneAlsoThoseThatCameBefore) {
  HistoryDriver driver(R"(
    local skald = require "skald"
    return function()
      local items = skald.signal("item")
      local first, a, b = items:receive()
      local waiting = items:pending()
      local got, c = items:poll()
      local late, nothing = items:receive("5s")
      return { first, a, b, waiting, got, c, late, nothing == nil }
    end)");
  driver.start();
  driver.signal("item", {"1", "2"});
  driver.signal("item", {"3"});
  driver.run();
  EXPECT_EQ(driver.result(), "[true,1,2,1,true,3,false,true]") << driver.task_failure_text();
  expect_replays(driver);
}

TEST(Workflow, ASignalsNextIsAFutureForRaces) {
  HistoryDriver driver(R"(
    local skald = require "skald"
    return function() return { skald.race { paid = skald.signal("paid"):next(), late = skald.timer("15m") } } end)");
  driver.start();
  driver.run_task();
  driver.signal("paid", {"99"});
  driver.run();
  EXPECT_EQ(driver.result(), R"(["paid",99])");
  expect_replays(driver);
}

TEST(Workflow, AnswersQueries) {
  HistoryDriver driver(with_shop(R"(
    local state = "new"
    return skald.workflow {
      run = function() state = "waiting"; shop.never() end,
      signals = { note = function(text) state = text end },
      queries = { status = function(suffix) return state .. (suffix or "") end, bad = function() skald.sleep("1s") end,
                  throws = function() skald.fail("not now") end },
    })"));
  driver.on_activity("shop.never", [](const auto&) { return Outcome::silence(); });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.query("status"), "\"waiting\"") << driver.task_failure_text();
  driver.signal("note", {"\"noted\""});
  driver.run();
  EXPECT_EQ(driver.query("status", {"\"!\""}), "\"noted!\"");
  EXPECT_THAT(driver.query("bad"), HasSubstr("must neither wait nor change anything"));
  EXPECT_EQ(driver.query("throws"), "error: not now");
  EXPECT_THAT(driver.query("nothing"),
              HasSubstr("unknown query 'nothing'; this workflow answers: bad, status, throws"));
  EXPECT_THAT(driver.query("__stack_trace"), HasSubstr("order.lua:7"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(Workflow, StartsChildrenSignalsAndHearsOfTheirEnd) {
  HistoryDriver driver(R"(
    local skald = require "skald"
    return function()
      local handle = skald.child("parcel", { id = "parcel-1" }):start({ weight = 2 })
      local id, run_id = handle:started()
      handle:signal("hold", "address")
      local result = handle:get()
      local ok, err = pcall(skald.child("broken"), 1)
      return { id, run_id, result, err.child, err.type }
    end)");
  driver.on_child("parcel", [](const auto& arguments) { return Outcome::result(arguments[0]); });
  driver.on_child("broken", [](const auto&) { return Outcome::failure("Lost"); });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), R"(["parcel-1","child-run",{"weight":2},"broken","Lost"])") << driver.task_failure_text();
  EXPECT_THAT(driver.commands(), ElementsAre("child parcel", "signal parcel-1 hold", "child broken"));
  expect_replays(driver);
}

TEST(Workflow, SignalsAndCancelsOtherWorkflows) {
  HistoryDriver driver(R"(
    local skald = require "skald"
    return function() skald.signal_external("order-9", "paid", 5); skald.cancel_external({ id = "order-10" }, "why"); return "done" end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), "\"done\"") << driver.task_failure_text();
  EXPECT_THAT(driver.commands(), ElementsAre("signal order-9 paid", "cancel workflow order-10"));
  expect_replays(driver);
}

TEST(Workflow, ContinuesAsNewWithFreshArguments) {
  HistoryDriver driver(R"(
    local skald = require "skald"
    return function(n) pcall(function() skald.continue_as_new(n + 1) end); error("not reached") end)");
  driver.start({"41"});
  driver.run();
  EXPECT_EQ(driver.status(), "continued") << driver.task_failure_text();
  EXPECT_EQ(driver.result(), "42");
  expect_replays(driver);
}

TEST(Workflow, RecordsSideEffectsOnce) {
  HistoryDriver driver(with_shop(R"(
    return function()
      local value = skald.side_effect(function() return skald.random(1000000000) end)
      shop.a()
      return value
    end)"));
  driver.on_activity("shop.a", [](const auto&) { return Outcome::result("1"); });
  driver.forget_between_tasks();
  driver.start();
  driver.run_task();
  const std::string recorded =
      driver.history().events(4).marker_recorded_event_attributes().details().at("value").payloads(0).data();
  driver.run();
  EXPECT_EQ(driver.result(), recorded) << driver.task_failure_text();
  expect_replays(driver);
}

TEST(Workflow, SetsSearchAttributesAndMemoAndKnowsItself) {
  HistoryDriver driver(R"(
    local skald = require "skald"
    return function()
      skald.upsert_search_attributes { Tier = "gold" }
      skald.set_memo { note = "fragile", gone = skald.null }
      local info = skald.info()
      return { info.workflow_id, info.workflow_type, info.namespace, info.memo.note, info.search_attributes.Tier, info.attempt }
    end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), R"(["order-1","order","default","fragile","gold",1])") << driver.task_failure_text();
  EXPECT_THAT(driver.commands(), ElementsAre("search attributes", "memo"));
  expect_replays(driver);
}

TEST(Workflow, LogsOnceThoughItIsReplayed) {
  HistoryDriver driver(with_shop("return function() print('one', 2); shop.a(); skald.log.warn('two', { n = 1 }) end"));
  driver.forget_between_tasks();
  driver.on_activity("shop.a", [](const auto&) { return Outcome::result("1"); });
  driver.start();
  driver.run();
  EXPECT_THAT(driver.log(), ElementsAre("one\t2", R"(two {"n":1})"));
}

TEST(Workflow, SaysWhatIsWrongWithItsCalls) {
  const auto failing = [](const std::string& body) {
    HistoryDriver driver("local skald = require 'skald'\nreturn function()\n" + body + "\nend");
    driver.start();
    driver.run();
    return driver.task_failure_text();
  };
  EXPECT_EQ(failing("skald.activity('a', {})"),
            "order.lua:3: activity 'a': set 'start_to_close' (one attempt) or 'schedule_to_close' (all attempts)");
  EXPECT_THAT(failing("skald.activity('a', { start_to_close = '5 parsecs' })"),
              HasSubstr("'start_to_close' is no duration"));
  EXPECT_THAT(failing("skald.activity('a', { start_to_cloze = '5s' })"), HasSubstr("unknown option 'start_to_cloze'"));
  EXPECT_THAT(failing("skald.activity('a', { start_to_close = '5s', cancellation = 'no' })"),
              HasSubstr(R"(must be one of "try", "wait", "abandon")"));
  EXPECT_THAT(failing("skald.sleep(-1)"), HasSubstr("a duration is text such as"));
  EXPECT_THAT(failing("skald.race {}"), HasSubstr("nothing to wait for"));
  EXPECT_THAT(failing("skald.all { 1 }"), HasSubstr("a table of futures is expected"));
  EXPECT_THAT(failing("skald.patched('x')"), HasSubstr("not available yet"));
  EXPECT_THAT(failing("skald.activity('a', { start_to_close = '5s', retry = {}, retrie = {} })"),
              AllOf(HasSubstr("retry"), Not(HasSubstr("retry, retry"))))
      << "each option is listed once";
  EXPECT_THAT(failing("skald.fail { tipe = 'x' }"), HasSubstr("unknown option 'tipe'"));
  EXPECT_THAT(failing("return function() end"),
              HasSubstr("the workflow's result: a function cannot leave the workflow"));
  EXPECT_THAT(failing("error { code = 1 }"), HasSubstr("an error that is a table was thrown"));
}

TEST(Workflow, AFileMustReturnAFunction) {
  HistoryDriver driver("return 42");
  driver.start();
  driver.run();
  EXPECT_THAT(driver.task_failure_text(), HasSubstr("order.lua:1: the file must return a function"));
}

}  // namespace
}  // namespace skald::lua::testing
