#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kOrder[] = R"(
local skald = require "skald"
local saga = require "skald.saga"
local shop = skald.activities("shop", { start_to_close = "5s" })

return function(order)
  return skald.scope(function(scope)
    skald.on_signal("cancel", function(reason) scope:cancel(reason) end)
    return saga.run(function(tx)
      skald.on_query("saga", function() return tx:log() end)
      local reservation = tx:step { "reserve",
        run = function() return shop.reserve(order) end,
        undo = function(result) shop.release(result and result.id or "unknown") end,
      }
      tx:step { "pay", run = function() return shop.pay(order) end, undo = function() shop.refund(order) end }
      tx:step { "ship", run = function() return shop.ship(order) end, undo = function() shop.recall(order) end }
      return { reservation = reservation.id }
    end)
  end)
end
)";

void answer_all(HistoryDriver& driver) {
  for (const char* type : {"shop.reserve", "shop.pay", "shop.ship", "shop.release", "shop.refund", "shop.recall"}) {
    driver.on_activity(type, [](const auto&) { return Outcome::result(R"({"id":"r-1"})"); });
  }
}

TEST(Saga, RunsItsSteps) {
  HistoryDriver driver(kOrder);
  answer_all(driver);
  driver.start({"1"});
  driver.run();
  EXPECT_EQ(driver.result(), R"({"reservation":"r-1"})") << driver.task_failure_text();
  EXPECT_THAT(driver.commands(), ElementsAre("activity shop.reserve", "activity shop.pay", "activity shop.ship"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(Saga, UndoesWhatWasDoneInReverseOrderAndThrowsTheError) {
  HistoryDriver driver(kOrder);
  answer_all(driver);
  driver.on_activity("shop.ship", [](const auto&) { return Outcome::refusal("NoCourier"); });
  driver.on_activity("shop.release", [](const auto& arguments) {
    EXPECT_THAT(arguments, ElementsAre("\"r-1\""));
    return Outcome::result("1");
  });
  driver.start({"1"});
  driver.run();
  EXPECT_EQ(driver.status(), "failed") << driver.task_failure_text();
  EXPECT_EQ(driver.failure().cause().application_failure_info().type(), "NoCourier");
  EXPECT_THAT(driver.commands(), ElementsAre("activity shop.reserve", "activity shop.pay", "activity shop.ship",
                                             "activity shop.refund", "activity shop.release"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(Saga, AlsoUndoesAStepWhoseOutcomeIsUnknown) {
  HistoryDriver driver(kOrder);
  answer_all(driver);
  driver.on_activity("shop.pay", [](const auto&) { return Outcome::timeout(); });
  driver.start({"1"});
  driver.run();
  EXPECT_EQ(driver.failure().cause().timeout_failure_info().timeout_type(), 1);
  EXPECT_THAT(driver.commands(), ElementsAre("activity shop.reserve", "activity shop.pay", "activity shop.refund",
                                             "activity shop.release"));
}

TEST(Saga, AlsoUndoesAStepWhoseRetriesRanOut) {
  HistoryDriver driver(kOrder);
  answer_all(driver);
  driver.on_activity("shop.pay", [](const auto&) { return Outcome::failure("BankUnreachable"); });
  driver.start({"1"});
  driver.run();
  EXPECT_EQ(driver.failure().cause().application_failure_info().type(), "BankUnreachable");
  EXPECT_THAT(driver.commands(), ElementsAre("activity shop.reserve", "activity shop.pay", "activity shop.refund",
                                             "activity shop.release"));
}

TEST(Saga, CompensatesWhenTheCustomerCancelsInTheMiddle) {
  HistoryDriver driver(kOrder);
  answer_all(driver);
  driver.on_activity("shop.pay", [](const auto&) { return Outcome::silence(); });
  driver.start({"1"});
  driver.run();
  driver.signal("cancel", {"\"changed my mind\""});
  driver.run();
  EXPECT_EQ(driver.status(), "failed") << driver.task_failure_text();
  EXPECT_EQ(driver.failure().cause().message(), "changed my mind");
  EXPECT_THAT(driver.commands(), ElementsAre("activity shop.reserve", "activity shop.pay", "cancel activity shop.pay",
                                             "activity shop.refund", "activity shop.release"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(Saga, CompensationsSurviveTheWorkflowsCancellation) {
  HistoryDriver driver(kOrder);
  answer_all(driver);
  driver.on_activity("shop.ship", [](const auto&) { return Outcome::silence(); });
  driver.start({"1"});
  driver.run();
  driver.request_cancel();
  driver.run();
  EXPECT_EQ(driver.status(), "canceled") << driver.task_failure_text();
  EXPECT_THAT(driver.commands(), ElementsAre("activity shop.reserve", "activity shop.pay", "activity shop.ship",
                                             "cancel activity shop.ship", "activity shop.recall",
                                             "activity shop.refund", "activity shop.release"));
  EXPECT_EQ(driver.replay(), "");
}

TEST(Saga, ReportsCompensationsThatFailedAndGoesOnWithTheOthers) {
  HistoryDriver driver(kOrder);
  answer_all(driver);
  driver.on_activity("shop.ship", [](const auto&) { return Outcome::refusal("NoCourier"); });
  driver.on_activity("shop.refund", [](const auto&) { return Outcome::refusal("BankClosed"); });
  driver.start({"1"});
  driver.run();
  EXPECT_EQ(driver.failure().application_failure_info().type(), "CompensationFailed") << driver.task_failure_text();
  EXPECT_THAT(
      driver.failure().application_failure_info().details().payloads(0).data(),
      R"({"failed":[{"error":{"activity":"shop.refund","kind":"application","message":"no","type":"BankClosed"},)"
      R"("step":"pay"}],"undone":["reserve"]})");
  EXPECT_EQ(driver.failure().cause().cause().application_failure_info().type(), "NoCourier");
  EXPECT_EQ(driver.commands().back(), "activity shop.release");
}

TEST(Saga, TellsItsLog) {
  HistoryDriver driver(kOrder);
  answer_all(driver);
  driver.on_activity("shop.pay", [](const auto&) { return Outcome::silence(); });
  driver.start({"1"});
  driver.run();
  EXPECT_EQ(driver.query("saga"), R"([{"state":"done","step":"reserve"},{"state":"running","step":"pay"}])");
}

TEST(Saga, ABugCompensatesNothing) {
  HistoryDriver driver(R"(
    local saga = require "skald.saga"
    local skald = require "skald"
    local shop = skald.activities("shop", { start_to_close = "5s" })
    return function()
      return saga.run(function(tx)
        tx:step { "reserve", run = function() return shop.reserve() end, undo = function() shop.release() end }
        local nothing
        return nothing.field
      end)
    end)");
  answer_all(driver);
  driver.start();
  driver.run();
  EXPECT_EQ(driver.status(), "open");
  EXPECT_THAT(driver.task_failure_text(), HasSubstr("order.lua:9: attempt to index a nil value (local 'nothing')"));
  EXPECT_THAT(driver.task_failure().failure().stack_trace(), HasSubstr("order.lua:9"));
  EXPECT_THAT(driver.commands(), ElementsAre("activity shop.reserve"));
}

}  // namespace
}  // namespace skald::lua::testing
