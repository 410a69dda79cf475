#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kHead[] =
    "local skald = require 'skald'\nlocal shop = skald.activities('shop', { start_to_close = '5s' })\n";

std::string source(const std::string& body) { return kHead + body; }

std::unique_ptr<HistoryDriver> finished(const std::string& body) {
  auto driver = std::make_unique<HistoryDriver>(source(body));
  for (const char* type : {"shop.a", "shop.b"})
    driver->on_activity(type, [](const auto&) { return Outcome::result("1"); });
  driver->start();
  driver->run();
  EXPECT_EQ(driver->status(), "completed") << driver->task_failure_text();
  return driver;
}

TEST(Replay, NamesTheEventTheCodeAndTheLineWhenAnotherCommandComes) {
  const auto driver = finished("return function() shop.a() shop.b() end");
  EXPECT_EQ(driver->replay(source("return function()\n  shop.a()\n  skald.sleep('1m')\nend")),
            "event 11 is ActivityTaskScheduled (activity 2, shop.b), but the workflow started a timer (timer 1) at "
            "order.lua:5");
}

TEST(Replay, FindsAnotherActivityInTheSamePlace) {
  const auto driver = finished("return function() shop.a() end");
  EXPECT_EQ(driver->replay(source("return function() shop.b() end")),
            "event 5 is ActivityTaskScheduled (activity 1, shop.a), but the workflow started an activity (activity 1, "
            "shop.b) at order.lua:3");
}

TEST(Replay, FindsACommandThatHistoryHasAndTheCodeHasNot) {
  const auto driver = finished("return function() shop.a:start() shop.b() end");
  EXPECT_EQ(driver->replay(source("return function() shop.a:start() skald.signal('x'):receive() end")),
            "event 6 is ActivityTaskScheduled (activity 2, shop.b), but the workflow did nothing more at this point");
}

TEST(Replay, FindsACommandThatHistoryHasNot) {
  const auto driver = finished("return function() shop.a() end");
  EXPECT_EQ(driver->replay(source("return function() skald.timer('1s') shop.a() end")),
            "event 5 is ActivityTaskScheduled (activity 1, shop.a), but the workflow started a timer (timer 1) at "
            "order.lua:3");
  EXPECT_THAT(
      driver->replay(source("return function() shop.a:start() skald.timer('1s') shop.b() end")),
      HasSubstr("the workflow started a timer (timer 1) at order.lua:3, but history has nothing of it before event 9"));
}

TEST(Replay, FindsAnotherEnd) {
  const auto driver = finished("return function() shop.a() end");
  EXPECT_EQ(driver->replay(source("return function() shop.a() skald.fail('no') end")),
            "event 11 is WorkflowExecutionCompleted, but the workflow failed");
}

TEST(Replay, FailsALiveTaskAsNonDeterminism) {
  HistoryDriver driver(source("return function() shop.a() shop.b() end"));
  driver.on_activity("shop.a", [](const auto&) { return Outcome::result("1"); });
  driver.on_activity("shop.b", [](const auto&) { return Outcome::silence(); });
  driver.start();
  driver.run();
  Definitions definitions;
  definitions.add(compile_definition("order", source("return function() shop.b() shop.b() end"), {}));
  CollectedLog log;
  WorkflowTaskHandler handler(definitions, log, {});
  WorkflowTaskHandler::Task task;
  task.mutable_workflow_type()->set_name("order");
  task.mutable_workflow_execution()->set_run_id("run");
  *task.mutable_history() = driver.history();
  auto& started = *task.mutable_history()->add_events();
  started.set_event_id(task.history().events_size());
  started.set_event_type(temporal::api::enums::v1::EVENT_TYPE_WORKFLOW_TASK_STARTED);
  WorkflowTaskHandler::Answer answer;
  std::unique_ptr<WorkflowTaskHandler::Unfinished> unfinished;
  handler.handle(task, "default", 0, answer, unfinished);
  const auto& failed = std::get<temporal::api::workflowservice::v1::RespondWorkflowTaskFailedRequest>(answer);
  EXPECT_EQ(failed.cause(), temporal::api::enums::v1::WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR);
  EXPECT_THAT(failed.failure().message(), HasSubstr("event 5 is ActivityTaskScheduled (activity 1, shop.a)"));
}

TEST(Replay, PassesOverTasksThatTimedOut) {
  HistoryDriver driver(source("return function() local t = skald.now(); shop.a(); return { t, skald.now() - t } end"));
  driver.on_activity("shop.a", [](const auto&) { return Outcome::result("1"); });
  driver.start();
  driver.time_out_task();
  driver.time_out_task();
  driver.run();
  EXPECT_EQ(driver.result(), "[1780000020.0,0.009999990463256836]") << driver.task_failure_text();
  EXPECT_EQ(driver.replay(), "");
}

TEST(Replay, FindsAnotherOrderOfTheSameCommands) {
  const auto driver = finished("return function() local a = shop.a:start(); skald.timer('1m'); a:get() end");
  EXPECT_EQ(driver->replay(source("return function() skald.timer('1m'); shop.a() end")),
            "event 5 is ActivityTaskScheduled (activity 1, shop.a), but the workflow started a timer (timer 1) at "
            "order.lua:3");
}

TEST(Replay, GoesTheSameWayHoweverTheTasksWereCut) {
  for (const bool forget : {false, true}) {
    HistoryDriver driver(source(R"(return function()
      local seen = skald.array {}
      skald.on_signal('note', function(text) seen[#seen + 1] = text; shop.a(text) end)
      local both = { shop.b:start(1), skald.async(function() skald.sleep('1m'); return shop.a('late') end) }
      skald.all(both)
      return { seen, skald.uuid(), skald.random(1000000) } end)"));
    if (forget) driver.forget_between_tasks();
    for (const char* type : {"shop.a", "shop.b"})
      driver.on_activity(type, [](const auto&) { return Outcome::result("1"); });
    driver.start();
    driver.run_task();
    driver.signal("note", {"\"one\""});
    driver.run_task();
    driver.signal("note", {"\"two\""});
    driver.run();
    EXPECT_EQ(driver.status(), "completed") << driver.task_failure_text();
    EXPECT_THAT(driver.result(), HasSubstr(R"(["one","two"])"));
    EXPECT_EQ(driver.replay(), "");
  }
}

}  // namespace
}  // namespace skald::lua::testing
