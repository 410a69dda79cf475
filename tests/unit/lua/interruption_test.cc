// Scripts give way to their neighbours wherever they are, and nothing changes by it.
#include <future>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lua/slow_lane.h"
#include "lua/workflow_task_handler.h"
#include "tests/unit/lua/attack_scripts.h"
#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {
namespace {

using ::testing::HasSubstr;
using namespace temporal::api::enums::v1;
namespace wire = temporal::api::workflowservice::v1;


WorkflowTaskHandler::Task first_task_of(const std::string& run_id) {
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
  task.mutable_history()->mutable_events(0)->mutable_workflow_execution_started_event_attributes();
  return task;
}

std::string main_with(const std::string& body) {
  return absl::StrCat("local skald = require 'skald'\nreturn function()\n", body, "\nend");
}

std::string outcome_of(const WorkflowTaskHandler::Answer& answer) {
  if (const auto* failed = std::get_if<wire::RespondWorkflowTaskFailedRequest>(&answer))
    return "error: " + failed->failure().message();
  const auto& completed = std::get<wire::RespondWorkflowTaskCompletedRequest>(answer);
  if (completed.commands_size() == 0) return "nothing";
  return completed.commands(0).complete_workflow_execution_command_attributes().result().payloads(0).data();
}

struct InterruptedRun {
  explicit InterruptedRun(const std::string& source, HandlerOptions options = {}) : handler(definitions, log, options) {
    definitions.add(compile_definition("order", source, {}));
  }
  bool unfinished_after(uint64_t slice) {
    task = first_task_of("run-1");
    return handler.handle(task, "default", slice, answer, unfinished) == WorkflowTaskHandler::Verdict::kUnfinished;
  }

  Definitions definitions;
  CollectedLog log;
  WorkflowTaskHandler handler;
  WorkflowTaskHandler::Task task;
  WorkflowTaskHandler::Answer answer;
  std::unique_ptr<WorkflowTaskHandler::Unfinished> unfinished;
};

class AnAttack : public ::testing::TestWithParam<Attack> {};

// What is not told of is not in this figure; tests/fuzz/lua looks at the clock.
TEST_P(AnAttack, LeavesTheOwnerLoopAndCanBeInterruptedAgainAndAgain) {
  const HandlerOptions options;
  InterruptedRun bench(main_with(GetParam().body), options);
  ASSERT_TRUE(bench.unfinished_after(options.limits.slice)) << outcome_of(bench.answer);
  EXPECT_LE(bench.handler.longest_stretch(), options.limits.slice + 10'000);
  for (int turn = 0; turn < 3; ++turn) {
    if (bench.unfinished->go_on(options.limits.slice, bench.answer)) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Scripts, AnAttack, ::testing::ValuesIn(kAttacks));

// The budget holds where a script is in a C function as anywhere.
TEST(Interruption, TheBudgetEndsWhatTheSlowLaneComputes) {
  HandlerOptions options;
  options.limits.budget = 3'000'000;
  for (const char* body :
       {"local t = {} for i = 1, 1990 do t = setmetatable({}, {__index = t}) end table.move(t, 1, 3999999, 1, {})",
        "pcall(table.sort, {3, 2, 1}, function() while true do end end)",
        "while true do pcall(string.gsub, 'xxx', 'x', function() while true do end end) end",
        "while true do xpcall(error, function() while true do end end) end"}) {
    InterruptedRun bench(main_with(body), options);
    ASSERT_TRUE(bench.unfinished_after(options.limits.slice)) << body;
    while (!bench.unfinished->go_on(100'000, bench.answer)) {
    }
    EXPECT_THAT(outcome_of(bench.answer), HasSubstr("computed for too long")) << body;
  }
}

TEST(Interruption, ChangesNothing) {
  const struct {
    const char* body;
    const char* result;
  } cases[] = {
      {"local t = {} for i = 1, 3000 do t[i] = (i * 7919) % 3001 end "
       "table.sort(t, function(a, b) local n = 0 for i = 1, 20 do n = n + i end return a < b end) "
       "for i = 2, #t do if t[i - 1] > t[i] then return 'unsorted' end end return #t",
       "3000"},
      {"local m = {__lt = function(a, b) for i = 1, 50 do end return a.n < b.n end} local t = {} "
       "for i = 1, 300 do t[i] = setmetatable({n = -i}, m) end table.sort(t) return {t[1].n, t[300].n}",
       "[-300,-1]"},
      {"return {(('abc'):rep(300):gsub('b', function(c) for i = 1, 50 do end return c:upper() end)):sub(1, 6)}",
       R"(["aBcaBc"])"},
      {"local n = 0 local t = setmetatable({}, {__index = function(_, k) for i = 1, 50 do end n = n + 1 return k .. k end}) "
       "return {('ab'):rep(200):gsub('%w', t):len(), n}",
       "[800,400]"},
      {"local t = setmetatable({}, {__index = function(_, i) for j = 1, 50 do end return i end}) "
       "return {select('#', table.unpack(t, 1, 200)), table.concat(t, ',', 1, 4), #table.move(t, 1, 500, 1, {})}",
       R"([200,"1,2,3,4",500])"},
      {"local t = {} for i = 1, 500 do table.insert(t, 1, i) end for i = 1, 100 do table.remove(t, 1) end return {#t, t[1], t[400]}",
       "[400,400,1]"},
      {"local parts = 0 local f = load(function() parts = parts + 1 for i = 1, 500 do end "
       "return parts == 1 and 'return 6' or parts == 2 and ' * 7' or nil end) return f()",
       "42"},
      {"local ok, text = xpcall(error, function(m) for i = 1, 5000 do end return m .. '!' end, 'no', 0) return {ok, text}",
       R"([false,"no!"])"},
      {"local s = '' do local x <close> = setmetatable({}, {__close = function() for i = 1, 5000 do end s = 'closed' end}) end return s",
       R"("closed")"},
      {"local t = setmetatable({}, {__tostring = function() for i = 1, 5000 do end return 'T' end}) "
       "return {tostring(t), ('%s'):format(t)}",
       R"(["T","T"])"},
      {"local t = {} for i = 1, 2000 do t['k' .. i] = i end local n = 0 for _, v in pairs(t) do n = n + v end return n",
       "2001000"},
      {"return skald.side_effect(function() for i = 1, 5000 do end return 'done' end)", "nothing"},
      {"local t = {} for i = 1, 12 do t = {t, t} end return #(select(2, pcall(skald.fail, {details = t})).details)", "2"},
      {"local s = ('x'):rep(100000) return {#s:upper(), select(2, s:gsub('x', 'yy')), utf8.len(s)}", "[100000,100000,100000]"},
  };
  for (const auto& each : cases) {
    for (const uint64_t slice : {0, 200, 5'000, 200'000}) {
      InterruptedRun bench(main_with(each.body));
      if (bench.unfinished_after(slice)) {
        while (!bench.unfinished->go_on(slice, bench.answer)) {
        }
      }
      if (each.result == std::string("nothing")) {
        EXPECT_EQ(bench.answer.index(), 0u) << outcome_of(bench.answer);
        continue;
      }
      EXPECT_EQ(outcome_of(bench.answer), each.result) << each.body << "\nwith a slice of " << slice;
    }
  }
}

TEST(Interruption, WhatIsDroppedInTheMiddleOfACFunctionUnwinds) {
  for (const char* body :
       {"table.sort({3, 2, 1}, function() while true do end end)",
        "while true do pcall(string.gsub, 'xxx', 'x', function() while true do end end) end",
        "skald.side_effect(function() while true do end end)",
        "local t = {} for i = 1, 30 do t = {t, t} end while true do pcall(skald.fail, {details = t}) end",
        "local x <close> = setmetatable({}, {__close = function() while true do end end}) table.sort({2, 1}, function() while true do end end)"}) {
    InterruptedRun bench(main_with(body));
    ASSERT_TRUE(bench.unfinished_after(20'000)) << body;
    for (int turn = 0; turn < 3; ++turn) ASSERT_FALSE(bench.unfinished->go_on(20'000, bench.answer)) << body;
    bench.unfinished.reset();
    EXPECT_EQ(bench.handler.cache().runs(), 0u);
  }
}

TEST(Interruption, AQueryGoesOnInTheSlowLane) {
  HandlerOptions options;
  options.limits.budget = 30'000'000;
  InterruptedRun bench(
      "local skald = require 'skald'\n"
      "skald.on_query('sum', function(n) local s = 0 for i = 1, n do s = s + i end return s end)\n"
      "skald.on_query('sorted', function() local t = {3, 1, 2}\n"
      "  table.sort(t, function(a, b) for i = 1, 1000000 do end return a < b end) return t end)\n"
      "skald.on_query('endless', function() while true do end end)\n"
      "return function() skald.sleep('1h') end",
      options);
  ASSERT_FALSE(bench.unfinished_after(200'000));
  WorkflowTaskHandler::Task task;
  task.mutable_workflow_type()->set_name("order");
  task.mutable_workflow_execution()->set_run_id("run-1");
  const auto ask = [&](const std::string& name, const std::string& argument) {
    task.mutable_query()->set_query_type(name);
    task.mutable_query()->clear_query_args();
    auto& payload = *task.mutable_query()->mutable_query_args()->add_payloads();
    (*payload.mutable_metadata())["encoding"] = "json/plain";
    payload.set_data(argument);
    int turns = 0;
    if (bench.handler.handle(task, "default", 200'000, bench.answer, bench.unfinished) == WorkflowTaskHandler::Verdict::kUnfinished) {
      do {
        ++turns;
      } while (!bench.unfinished->go_on(1'000'000, bench.answer));
    }
    bench.unfinished.reset();
    return turns;
  };
  const auto answered = [&] {
    const auto& query = std::get<wire::RespondQueryTaskCompletedRequest>(bench.answer);
    return query.error_message().empty() ? query.query_result().payloads(0).data() : query.error_message();
  };
  EXPECT_EQ(ask("sum", "10"), 0);
  EXPECT_EQ(answered(), "55");
  EXPECT_GT(ask("sum", "3000000"), 1);
  EXPECT_EQ(answered(), "4500001500000");
  EXPECT_GT(ask("sorted", "null"), 1);
  EXPECT_EQ(answered(), "[1,2,3]");
  EXPECT_EQ(bench.handler.cache().runs(), 1u);
  EXPECT_GT(ask("endless", "null"), 1);
  EXPECT_THAT(answered(), HasSubstr("computed for too long"));
  EXPECT_EQ(bench.handler.cache().runs(), 0u);
}

TEST(Interruption, ALargeInputIsReadInTheSlowLane) {
  InterruptedRun bench("return function(list) return #list end");
  bench.task = first_task_of("run-1");
  auto& payload = *bench.task.mutable_history()
                       ->mutable_events(0)
                       ->mutable_workflow_execution_started_event_attributes()
                       ->mutable_input()
                       ->add_payloads();
  (*payload.mutable_metadata())["encoding"] = "json/plain";
  std::string list = "[[]";
  for (int i = 1; i < 100'000; ++i) list += ",[]";
  payload.set_data(list + "]");
  ASSERT_EQ(bench.handler.handle(bench.task, "default", 200'000, bench.answer, bench.unfinished),
            WorkflowTaskHandler::Verdict::kUnfinished);
  while (!bench.unfinished->go_on(1'000'000, bench.answer)) {
  }
  EXPECT_EQ(outcome_of(bench.answer), "100000");
}

// A run that holds much never comes back to the owner's loop, though it does little.
TEST(Interruption, ALargeRunStaysInTheSlowLane) {
  InterruptedRun bench(
      "local skald = require 'skald'\nlocal t = {}\nskald.on_query('n', function() return #t end)\n"
      "return function() for i = 1, 100000 do t[i] = i end skald.sleep('1h') end");
  ASSERT_TRUE(bench.unfinished_after(200'000));
  while (!bench.unfinished->go_on(1'000'000, bench.answer)) {
  }
  bench.unfinished.reset();
  WorkflowTaskHandler::Task task;
  task.mutable_workflow_execution()->set_run_id("run-1");
  task.mutable_query()->set_query_type("n");
  EXPECT_EQ(bench.handler.handle(task, "default", 200'000, bench.answer, bench.unfinished), WorkflowTaskHandler::Verdict::kUnfinished);
}

TEST(Interruption, OneThatComputesWithoutEndDoesNotHoldUpTheSlowLane) {
  SlowLane lane;
  InterruptedRun endless(main_with("table.sort({3, 2, 1}, function() while true do end end)"));
  InterruptedRun other(main_with("local n = 0 for i = 1, 3000000 do n = n + 1 end return n"));
  ASSERT_TRUE(endless.unfinished_after(200'000));
  ASSERT_TRUE(other.unfinished_after(200'000));
  std::promise<std::string> late;
  std::atomic<bool> first_ended = false;
  lane.take(std::move(endless.unfinished), [&](const WorkflowTaskHandler::Answer&) { first_ended = true; });
  lane.take(std::move(other.unfinished), [&](const WorkflowTaskHandler::Answer& answer) { late.set_value(outcome_of(answer)); });
  EXPECT_EQ(late.get_future().get(), "3000000");
  EXPECT_FALSE(first_ended);
  lane.stop();
}

}  // namespace
}  // namespace skald::lua::testing
