#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {
namespace {

using ::testing::ElementsAre;

HistoryDriver driver_of(const std::string& body) {
  return HistoryDriver(R"(local skald = require "skald"
    local function activity(mode) return skald.activity("slow", { start_to_close = "5s", cancellation = mode }) end
    )" + body);
}

std::unique_ptr<HistoryDriver> cancelled_in_the_middle(const std::string& body) {
  auto driver = std::make_unique<HistoryDriver>(R"(local skald = require "skald"
    local function activity(mode) return skald.activity("slow", { start_to_close = "5s", cancellation = mode }) end
    )" + body);
  driver->on_activity("slow", [](const auto&) { return Outcome::silence(); });
  driver->on_activity("clean", [](const auto&) { return Outcome::result("1"); });
  driver->start();
  driver->run_task();
  driver->request_cancel();
  driver->run();
  return driver;
}

TEST(Cancellation, EndsAWorkflowThatDoesNotCatchIt) {
  auto driver = cancelled_in_the_middle("return function() activity('try')() end");
  EXPECT_EQ(driver->status(), "canceled");
  EXPECT_THAT(driver->commands(), ElementsAre("activity slow", "cancel activity slow"));
  EXPECT_EQ(driver->replay(), "");
}

TEST(Cancellation, WaitsForAnActivityThatWantsToBeWaitedFor) {
  auto driver =
      cancelled_in_the_middle("return function() local ok, err = pcall(activity('wait')); return { ok, err.kind } end");
  EXPECT_EQ(driver->result(), R"([false,"cancelled"])");
  EXPECT_EQ(driver->tasks(), 3);
  EXPECT_EQ(driver->replay(), "");
}

TEST(Cancellation, LeavesAnAbandonedActivityRunning) {
  auto driver =
      cancelled_in_the_middle("return function() local ok, err = pcall(activity('abandon')); return err.activity end");
  EXPECT_EQ(driver->result(), "\"slow\"");
  EXPECT_THAT(driver->commands(), ElementsAre("activity slow"));
}

TEST(Cancellation, CleanupRunsShielded) {
  auto driver = cancelled_in_the_middle(R"(return function()
      local ok, err = pcall(skald.sleep, "1h")
      local again, same = pcall(skald.sleep, "1h")
      local cancelled, reason = skald.cancelled()
      local cleaned = skald.shielded(function() return skald.activity("clean", { start_to_close = "1s" })() end)
      return { ok, err.kind, err.message, again, same.kind, cancelled, reason, cleaned }
    end)");
  EXPECT_EQ(driver->result(), R"([false,"cancelled","by the customer",false,"cancelled",true,"by the customer",1])")
      << driver->task_failure_text();
  EXPECT_THAT(driver->commands(), ElementsAre("timer 1h", "cancel timer", "activity clean"));
  EXPECT_EQ(driver->replay(), "");
}

TEST(Cancellation, InterruptsWaitingForSignalsAndPredicates) {
  for (const char* waiting : {"skald.signal('x'):receive()", "skald.wait_until(function() return false end)",
                              "skald.signal('x'):next():get()", "skald.all { skald.signal('x'):next() }",
                              "skald.async(function() skald.signal('x'):receive() end):get()"}) {
    auto driver = cancelled_in_the_middle(std::string("return function() ") + waiting + " end");
    EXPECT_EQ(driver->status(), "canceled") << waiting << driver->task_failure_text();
    EXPECT_EQ(driver->replay(), "") << waiting;
  }
}

TEST(Cancellation, OfAScopeDoesNotReachWhatIsOutside) {
  HistoryDriver driver = driver_of(R"(return function()
      local outside = skald.timer("1h")
      local ok, err = pcall(skald.scope, function(scope)
        skald.async(function() skald.sleep("1m"); scope:cancel("too long") end)
        skald.sleep("1d")
      end)
      outside:get()
      return { ok, err.kind, err.message }
    end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), R"([false,"cancelled","too long"])") << driver.task_failure_text();
  EXPECT_THAT(driver.commands(), ElementsAre("timer 1h", "timer 24h", "timer 1m", "cancel timer"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(Cancellation, OfABranchCancelsWhatItStarted) {
  HistoryDriver driver = driver_of(R"(return function()
      local branch = skald.async(function() skald.sleep("1d") end)
      skald.sleep("1s")
      branch:cancel("enough")
      local ok, err = branch:try()
      return { ok, err.message }
    end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), R"([false,"enough"])") << driver.task_failure_text();
  EXPECT_EQ(driver.replay(), "");
}

TEST(Cancellation, OfWhatWasNotSentYetSendsNothing) {
  HistoryDriver driver = driver_of(R"(return function()
      local timer = skald.timer("1h")
      timer:cancel()
      return (timer:try())
    end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), "false");
  EXPECT_TRUE(driver.commands().empty());
  EXPECT_EQ(driver.replay(), "");
}

TEST(Cancellation, OfAChildWaitsForItsEnd) {
  auto driver = cancelled_in_the_middle(
      "return function() local ok, err = pcall(skald.child('parcel', { id = 'p' })); return { err.kind, err.child } "
      "end");
  EXPECT_EQ(driver->result(), R"(["cancelled","parcel"])") << driver->task_failure_text();
  EXPECT_THAT(driver->commands(), ElementsAre("child parcel", "cancel workflow p"));
  EXPECT_EQ(driver->replay(), "");
}

TEST(Cancellation, AFailedScopeCancelsWhatItLeftRunning) {
  HistoryDriver driver = driver_of(R"(return function()
      pcall(skald.scope, function()
        skald.timer("1d")
        skald.sleep("1s")
        skald.fail("no")
      end)
      return "done"
    end)");
  driver.start();
  driver.run();
  EXPECT_EQ(driver.result(), "\"done\"");
  EXPECT_THAT(driver.commands(), ElementsAre("timer 24h", "timer 1s", "cancel timer"));
}

}  // namespace
}  // namespace skald::lua::testing
