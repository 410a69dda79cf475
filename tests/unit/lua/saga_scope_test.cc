#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// A shop whose activities succeed, and a step of it: step(tx, "pay") does shop.pay and is undone by shop.undo_pay.
std::string with_steps(const std::string& body) {
  return R"(
local skald = require "skald"
local saga = require "skald.saga"
local shop = skald.activities("shop", { start_to_close = "5s" })
local function step(tx, name, run)
  return tx:step { name, run = run or function() return shop[name]() end, undo = function() shop["undo_" .. name]() end }
end
)" + body;
}

struct Shop : HistoryDriver {
  explicit Shop(const std::string& body) : HistoryDriver(with_steps(body)) {
    for (const char* name : {"reserve", "pay", "ship", "undo_reserve", "undo_pay", "undo_ship"})
      on_activity(std::string("shop.") + name, [](const auto&) { return Outcome::result("1"); });
  }
};

// The activity is silent for so long.
void answer_after(HistoryDriver& driver, const std::string& type, absl::Duration wait, Outcome outcome) {
  driver.on_activity(type, [](const auto&) { return Outcome::silence(); });
  driver.after(wait, [&driver, type, outcome] { driver.on_activity(type, [outcome](const auto&) { return outcome; }); });
}

std::vector<std::string> activities_of(const HistoryDriver& driver) {
  std::vector<std::string> types;
  for (const std::string& command : driver.commands()) {
    if (command.starts_with("activity shop.")) types.push_back(command.substr(14));
  }
  return types;
}

TEST(SagaScope, ABranchThatFailsKeepsTheOtherFromItsNextStep) {
  Shop driver(R"(
    return function()
      saga.run(function(tx)
        skald.all {
          skald.async(function() step(tx, "reserve"); step(tx, "pay") end),
          skald.async(function() skald.sleep("100ms"); skald.fail("no") end),
        }
      end)
    end)");
  answer_after(driver, "shop.reserve", absl::Milliseconds(200), Outcome::result("1"));
  driver.start();
  driver.run();
  EXPECT_EQ(driver.status(), "failed") << driver.task_failure_text();
  EXPECT_EQ(driver.failure().message(), "no");
  EXPECT_THAT(activities_of(driver), ElementsAre("reserve", "undo_reserve"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(SagaScope, AStepThatEndsLateIsWaitedForAndUndone) {
  Shop driver(R"(
    return function()
      saga.run(function(tx)
        skald.all {
          skald.async(function()
            step(tx, "reserve", function() return skald.shielded(function() return shop.reserve() end) end)
            step(tx, "pay")
          end),
          skald.async(function() skald.sleep("100ms"); skald.fail("no") end),
        }
      end)
    end)");
  answer_after(driver, "shop.reserve", absl::Hours(1), Outcome::result("1"));
  driver.start();
  driver.run();
  EXPECT_EQ(driver.failure().message(), "no") << driver.task_failure_text();
  EXPECT_THAT(activities_of(driver), ElementsAre("reserve", "undo_reserve"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(SagaScope, StepsSideBySideAreUndoneInReverseOrderOfTheirCompletion) {
  Shop driver(R"(
    return function()
      saga.run(function(tx)
        skald.all { skald.async(step, tx, "reserve"), skald.async(step, tx, "pay"), skald.async(step, tx, "ship") }
        skald.fail("no")
      end)
    end)");
  answer_after(driver, "shop.reserve", absl::Seconds(3), Outcome::result("1"));
  answer_after(driver, "shop.ship", absl::Seconds(2), Outcome::result("1"));
  driver.start();
  driver.run();
  EXPECT_THAT(activities_of(driver),
              ElementsAre("reserve", "pay", "ship", "undo_reserve", "undo_ship", "undo_pay")) << driver.task_failure_text();
  EXPECT_EQ(driver.replay(), "");
}

TEST(SagaScope, CompensatesSideBySideWhereDeclared) {
  Shop driver(R"(
    return function()
      saga.run({ undo = "parallel" }, function(tx)
        step(tx, "reserve"); step(tx, "pay"); step(tx, "ship")
        skald.fail("no")
      end)
    end)");
  driver.on_activity("shop.undo_ship", [](const auto&) { return Outcome::silence(); });
  driver.start();
  driver.run();
  EXPECT_EQ(driver.status(), "open");
  EXPECT_THAT(activities_of(driver), ElementsAre("reserve", "pay", "ship", "undo_ship", "undo_pay", "undo_reserve"));
  driver.on_activity("shop.undo_ship", [](const auto&) { return Outcome::result("1"); });
  driver.run();
  EXPECT_EQ(driver.status(), "failed") << driver.task_failure_text();
  EXPECT_EQ(driver.replay(), "");
}

TEST(SagaScope, ASignalHandlersStepIsTheSagasToo) {
  Shop driver(R"(
    return function()
      saga.run(function(tx)
        skald.on_signal("pay", function() step(tx, "pay"); step(tx, "ship") end)
        step(tx, "reserve")
        skald.sleep("1m")
        skald.fail("no")
      end)
    end)");
  driver.on_activity("shop.ship", [](const auto&) { return Outcome::silence(); });
  driver.start();
  driver.after(absl::Seconds(10), [&] { driver.signal("pay"); });
  driver.run();
  EXPECT_EQ(driver.failure().message(), "no") << driver.task_failure_text();
  EXPECT_THAT(activities_of(driver), ElementsAre("reserve", "pay", "ship", "undo_ship", "undo_pay", "undo_reserve"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(SagaScope, ItsFunctionsEndWaitsForStepsUnderWay) {
  Shop driver(R"(
    return function()
      saga.run(function(tx)
        skald.async(step, tx, "pay")
        step(tx, "reserve")
      end)
      return "done"
    end)");
  answer_after(driver, "shop.pay", absl::Seconds(3), Outcome::refusal("Declined"));
  driver.start();
  driver.run();
  EXPECT_EQ(driver.status(), "failed") << driver.task_failure_text();
  EXPECT_EQ(driver.failure().cause().application_failure_info().type(), "Declined");
  EXPECT_THAT(activities_of(driver), ElementsAre("reserve", "pay", "undo_reserve"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(SagaScope, AStepAfterItsEndIsRefused) {
  Shop driver(R"(
    return function()
      local kept
      saga.run(function(tx) kept = tx end)
      local ok, err = pcall(step, kept, "pay")
      return err.type
    end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), "\"SagaEnded\"") << driver.task_failure_text();
  EXPECT_THAT(activities_of(driver), ElementsAre());
}

TEST(SagaScope, WhatIsRegisteredWhenItHasFailedIsUndoneToo) {
  Shop driver(R"(
    return function()
      saga.run(function(tx)
        skald.async(function()
          pcall(skald.sleep, "1d")
          skald.shielded(function() shop.reserve() end)
          tx:undo("reserve", function() shop.undo_reserve() end)
        end)
        skald.sleep("1s")
        skald.fail("no")
      end)
    end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.status(), "failed") << driver.task_failure_text();
  EXPECT_EQ(driver.replay(), "");
}

TEST(SagaScope, ASagaWithinIsUndoneBeforeTheOneAround) {
  Shop driver(R"(
    return function()
      saga.run(function(tx)
        skald.async(function() saga.run(function(inner) step(inner, "ship"); skald.sleep("1d") end) end)
        step(tx, "reserve")
        skald.sleep("1s")
        skald.fail("no")
      end)
    end)");
  answer_after(driver, "shop.undo_ship", absl::Minutes(5), Outcome::result("1"));
  driver.start();
  driver.run();
  EXPECT_EQ(driver.failure().message(), "no") << driver.task_failure_text();
  EXPECT_THAT(activities_of(driver), ElementsAre("reserve", "ship", "undo_ship", "undo_reserve"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(SagaScope, ABugIsNotHiddenByAPcallAround) {
  Shop driver(R"(
    return function()
      pcall(saga.run, function(tx)
        step(tx, "reserve")
        local nothing
        return nothing.field
      end)
      return "done"
    end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.status(), "open");
  EXPECT_THAT(driver.task_failure_text(), HasSubstr("attempt to index a nil value (local 'nothing')"));
}

// ---- The end of a run ----

TEST(SagasAndTheRunsEnd, AHandlersErrorCompensatesFirst) {
  Shop driver(R"(
    return function()
      skald.on_signal("stop", function() skald.fail { type = "Stopped", message = "by a person" } end)
      saga.run(function(tx) step(tx, "pay"); skald.sleep("1h") end)
    end)");
  driver.start();
  driver.after(absl::Minutes(1), [&] { driver.signal("stop"); });
  driver.run();
  EXPECT_EQ(driver.status(), "failed") << driver.task_failure_text();
  EXPECT_EQ(driver.failure().application_failure_info().type(), "Stopped");
  EXPECT_THAT(driver.commands(), ElementsAre("activity shop.pay", "timer 1h", "cancel timer", "activity shop.undo_pay"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(SagasAndTheRunsEnd, AHandlersErrorCountsThoughTheMainFunctionReturns) {
  Shop driver(R"(
    return function()
      skald.on_signal("stop", function() skald.fail { type = "Stopped", message = "by a person" } end)
      pcall(saga.run, function(tx) step(tx, "pay"); skald.sleep("1h") end)
      return "fine"
    end)");
  driver.start();
  driver.after(absl::Minutes(1), [&] { driver.signal("stop"); });
  driver.run();
  EXPECT_EQ(driver.status(), "failed") << driver.task_failure_text();
  EXPECT_EQ(driver.failure().application_failure_info().type(), "Stopped");
  EXPECT_THAT(activities_of(driver), ElementsAre("pay", "undo_pay"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(SagasAndTheRunsEnd, AnErrorOfTheMainFunctionWaitsForASagaInAnotherBranch) {
  Shop driver(R"(
    return function()
      skald.async(function() saga.run(function(tx) step(tx, "pay"); skald.sleep("1h") end) end)
      skald.sleep("1m")
      skald.fail("no")
    end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.failure().message(), "no") << driver.task_failure_text();
  EXPECT_THAT(activities_of(driver), ElementsAre("pay", "undo_pay"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(SagasAndTheRunsEnd, AReturnWaitsForASagaInAnotherBranch) {
  Shop driver(R"(
    return function()
      skald.async(function() saga.run(function(tx) step(tx, "reserve"); skald.sleep("1h"); step(tx, "pay") end) end)
      skald.sleep("1m")
      return "done"
    end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), "\"done\"") << driver.task_failure_text();
  EXPECT_THAT(activities_of(driver), ElementsAre("reserve", "pay"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(SagasAndTheRunsEnd, ABranchThatNobodyAsksFailsTheRunAfterItsSaga) {
  for (const char* failing : {
           "skald.async(function() skald.sleep('1m'); skald.fail('boom') end)",
           "local kept = skald.async(function() skald.sleep('1m'); skald.fail('boom') end)",
       }) {
    Shop driver(std::string("return function() ") + failing + R"(
        saga.run(function(tx) step(tx, "pay"); skald.sleep("1h") end)
        return "done"
      end)");
    driver.start();
    driver.run();
    EXPECT_EQ(driver.failure().message(), "boom") << failing << driver.task_failure_text();
    EXPECT_EQ(driver.replay(), "");
  }
}

TEST(SagasAndTheRunsEnd, ABranchsErrorWaitsForWhoAsksLater) {
  Shop driver(R"(
    return function()
      local branch = skald.async(function() skald.fail("boom") end)
      skald.sleep("1m")
      local ok, err = branch:try()
      return err.message
    end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), "\"boom\"") << driver.task_failure_text();
  EXPECT_EQ(driver.replay(), "");
}

TEST(SagasAndTheRunsEnd, CancellationCompensatesInEveryBranch) {
  Shop driver(R"(
    return function()
      skald.async(function() saga.run(function(tx) step(tx, "reserve"); skald.sleep("1h") end) end)
      saga.run(function(tx) step(tx, "pay"); skald.sleep("1h") end)
    end)");
  answer_after(driver, "shop.undo_reserve", absl::Hours(2), Outcome::result("1"));
  driver.start();
  driver.after(absl::Minutes(1), [&] { driver.request_cancel(); });
  driver.run();
  EXPECT_EQ(driver.status(), "canceled") << driver.task_failure_text();
  EXPECT_THAT(activities_of(driver), AllOf(Contains("undo_reserve"), Contains("undo_pay"), Not(Contains("ship"))));
  EXPECT_EQ(driver.replay(), "");
}

}  // namespace
}  // namespace skald::lua::testing
