#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lua/embedded_worker.h"
#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {
namespace {

using ::testing::HasSubstr;
using namespace temporal::api::enums::v1;
namespace wire = temporal::api::workflowservice::v1;

WorkflowTaskHandler::Task first_task(const std::string& run_id = "run-1") {
  WorkflowTaskHandler::Task task;
  task.mutable_workflow_type()->set_name("order");
  task.mutable_workflow_execution()->set_run_id(run_id);
  int64_t id = 0;
  for (const EventType type :
       {EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, EVENT_TYPE_WORKFLOW_TASK_STARTED}) {
    auto& event = *task.mutable_history()->add_events();
    event.set_event_id(++id);
    event.set_event_type(type);
  }
  task.mutable_history()
      ->mutable_events(0)
      ->mutable_workflow_execution_started_event_attributes()
      ->mutable_task_queue()
      ->set_name("orders");
  return task;
}

class Handler : public ::testing::Test {
 protected:
  void define(const std::string& source) { definitions_.add(compile_definition("order", source, {})); }
  WorkflowTaskHandler::Verdict handle(WorkflowTaskHandler& handler, const WorkflowTaskHandler::Task& task,
                                      uint64_t slice = 0) {
    return handler.handle(task, "default", slice, answer_, unfinished_);
  }

  Definitions definitions_;
  CollectedLog log_;
  WorkflowTaskHandler::Answer answer_;
  std::unique_ptr<WorkflowTaskHandler::Unfinished> unfinished_;
};

TEST_F(Handler, AsksForTheWholeHistoryOfARunItDoesNotKnow) {
  define("return function() end");
  WorkflowTaskHandler handler(definitions_, log_, {});
  auto task = first_task();
  task.mutable_history()->mutable_events()->DeleteSubrange(0, 2);
  EXPECT_EQ(handle(handler, task), WorkflowTaskHandler::Verdict::kNeedsHistory);
  auto query = first_task();
  query.clear_history();
  query.mutable_query()->set_query_type("x");
  EXPECT_EQ(handle(handler, query), WorkflowTaskHandler::Verdict::kNeedsHistory);
}

TEST_F(Handler, KeepsARunForItsNextTaskAndForgetsItOnDemand) {
  define("local skald = require 'skald'\nreturn function() skald.sleep('1h') end");
  WorkflowTaskHandler handler(definitions_, log_, {});
  EXPECT_EQ(handle(handler, first_task()), WorkflowTaskHandler::Verdict::kAnswered);
  EXPECT_EQ(handler.cache().runs(), 1u);
  EXPECT_GT(handler.cache().bytes(), 0u);
  handler.forget("run-1");
  EXPECT_EQ(handler.cache().runs(), 0u);
  EXPECT_EQ(handler.cache().bytes(), 0u);
}

TEST_F(Handler, KeepsNoRunThatEndedOrFailed) {
  define("return function() end");
  WorkflowTaskHandler handler(definitions_, log_, {});
  handle(handler, first_task());
  EXPECT_EQ(handler.cache().runs(), 0u);
  define("return function() error('x') end");
  handle(handler, first_task());
  EXPECT_EQ(handler.cache().runs(), 0u);
}

TEST_F(Handler, EvictsTheRunsLongestUnused) {
  define("local skald = require 'skald'\nreturn function() skald.sleep('1h') end");
  HandlerOptions options;
  options.cached_runs = 3;
  WorkflowTaskHandler handler(definitions_, log_, options);
  for (int i = 0; i < 10; ++i) handle(handler, first_task("run-" + std::to_string(i)));
  EXPECT_EQ(handler.cache().runs(), 3u);
}

TEST_F(Handler, NamesUnknownTypesAndCauses) {
  define("return function() end");
  WorkflowTaskHandler handler(definitions_, log_, {});
  auto task = first_task();
  task.mutable_workflow_type()->set_name("nothing");
  handle(handler, task);
  const auto& failed = std::get<wire::RespondWorkflowTaskFailedRequest>(answer_);
  EXPECT_EQ(failed.cause(), WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE);
  EXPECT_EQ(failed.failure().message(), "there is no workflow definition 'nothing'; this worker has: order");
}

TEST_F(Handler, SaysItsNameAndTheDefinitionInTheFirstCompletion) {
  define("return function() end");
  WorkflowTaskHandler handler(definitions_, log_, {});
  handle(handler, first_task());
  const auto& completed = std::get<wire::RespondWorkflowTaskCompletedRequest>(answer_);
  EXPECT_EQ(completed.sdk_metadata().sdk_name(), "skald-lua");
  EXPECT_THAT(completed.sdk_metadata().sdk_version(),
              HasSubstr("+" + definitions_.current("order")->hash.substr(0, 16)));
}

TEST_F(Handler, AnswersQueriesThatCameWithATask) {
  define(
      "local skald = require 'skald'\nlocal n = 0\nskald.on_query('n', function() return n end)\nreturn function() n = "
      "1; skald.sleep('1h') end");
  WorkflowTaskHandler handler(definitions_, log_, {});
  auto task = first_task();
  (*task.mutable_queries())["q1"].set_query_type("n");
  (*task.mutable_queries())["q2"].set_query_type("m");
  handle(handler, task);
  const auto& results = std::get<wire::RespondWorkflowTaskCompletedRequest>(answer_).query_results();
  EXPECT_EQ(results.at("q1").answer().payloads(0).data(), "1");
  EXPECT_EQ(results.at("q2").result_type(), QUERY_RESULT_TYPE_FAILED);
}

TEST_F(Handler, StopsAtTheEndOfASliceAndGoesOn) {
  define("return function() local n = 0; for i = 1, 1000000 do n = n + 1 end; return n end");
  WorkflowTaskHandler handler(definitions_, log_, {});
  ASSERT_EQ(handle(handler, first_task(), 10'000), WorkflowTaskHandler::Verdict::kUnfinished);
  int turns = 0;
  while (!unfinished_->go_on(100'000, answer_)) ++turns;
  EXPECT_GT(turns, 10);
  const auto& completed = std::get<wire::RespondWorkflowTaskCompletedRequest>(answer_);
  EXPECT_EQ(completed.commands(0).complete_workflow_execution_command_attributes().result().payloads(0).data(),
            "1000000");
  unfinished_.reset();
}

TEST_F(Handler, ASliceEndsForSlowInstructionsToo) {
  define(
      "return function() local a = ('x'):rep(1000000); local n = 0; for i = 1, 500 do n = n + utf8.len(a) end; return "
      "n end");
  WorkflowTaskHandler handler(definitions_, log_, {});
  ASSERT_EQ(handle(handler, first_task(), 1'000'000'000), WorkflowTaskHandler::Verdict::kUnfinished);
  ASSERT_TRUE(unfinished_->go_on(0, answer_));
  const auto& completed = std::get<wire::RespondWorkflowTaskCompletedRequest>(answer_);
  EXPECT_EQ(completed.commands(0).complete_workflow_execution_command_attributes().result().payloads(0).data(),
            "500000000");
  unfinished_.reset();
}

TEST_F(Handler, TheSlowLaneFinishesWhatTheOwnerLoopCannot) {
  define(
      "local skald = require 'skald'\nreturn function() local n = 0; for i = 1, 3000000 do n = n + 1 end; "
      "skald.sleep(n) end");
  SlowLane lane;
  EmbeddedWorkerOptions options;
  options.task_queues = {"orders"};
  EmbeddedLuaWorker worker(definitions_, log_, &lane, options);
  EXPECT_TRUE(worker.serves("default", "orders", "order"));
  EXPECT_FALSE(worker.serves("default", "others", "order"));
  EXPECT_FALSE(worker.serves("default", "orders", "nothing"));
  EXPECT_TRUE(worker.polls("default", "orders"));
  EXPECT_FALSE(worker.polls("default", "others"));
  std::promise<shard::WorkflowTaskAnswer> promise;
  shard::WorkflowTaskAnswer answer;
  const auto verdict = worker.activate(first_task(), answer,
                                       [&](shard::WorkflowTaskAnswer late) { promise.set_value(std::move(late)); });
  ASSERT_EQ(verdict, shard::EmbeddedWorker::Verdict::kLater);
  const auto late = promise.get_future().get();
  EXPECT_EQ(std::get<wire::RespondWorkflowTaskCompletedRequest>(late)
                .commands(0)
                .start_timer_command_attributes()
                .start_to_fire_timeout()
                .seconds(),
            3'000'000);
  EXPECT_EQ(worker.cache().runs(), 1u);
}

TEST_F(Handler, ASlowLaneThatStoppedDropsWhatOwnerLoopsStillGiveIt) {
  define("return function() while true do end end");
  SlowLane lane;
  EmbeddedWorkerOptions options;
  options.task_queues = {"orders"};
  EmbeddedLuaWorker worker(definitions_, log_, &lane, options);
  bool answered = false;
  const auto later = [&](const shard::WorkflowTaskAnswer&) { answered = true; };
  shard::WorkflowTaskAnswer answer;
  EXPECT_EQ(worker.activate(first_task(), answer, later), shard::EmbeddedWorker::Verdict::kLater);
  lane.stop();
  EXPECT_EQ(worker.activate(first_task(), answer, later), shard::EmbeddedWorker::Verdict::kLater);
  lane.stop();
  EXPECT_FALSE(answered);
}

TEST_F(Handler, ARunForgottenInTheSlowLaneDoesNotComeBack) {
  define("local skald = require 'skald'\nreturn function() for i = 1, 3000000 do end; skald.sleep(1) end");
  WorkflowTaskHandler handler(definitions_, log_, {});
  ASSERT_EQ(handle(handler, first_task(), 10'000), WorkflowTaskHandler::Verdict::kUnfinished);
  handler.forget("run-1");
  ASSERT_TRUE(unfinished_->go_on(0, answer_));
  EXPECT_EQ(handler.cache().runs(), 0u);
  unfinished_.reset();
}

}  // namespace
}  // namespace skald::lua::testing
