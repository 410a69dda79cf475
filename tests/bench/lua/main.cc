// What the Lua runtime costs: a new run's first step, a step of a run in the cache, the replay of a whole history, and
// the memory a waiting run holds. The workflow is the order saga that comes with Skald.
#include <chrono>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/core.h>
#include <malloc.h>

#include "tests/unit/lua/delivered_workflows.h"
#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {
namespace {

using Clock = std::chrono::steady_clock;
using Task = WorkflowTaskHandler::Task;
using temporal::api::enums::v1::EVENT_TYPE_WORKFLOW_TASK_STARTED;

constexpr char kOrder[] =
    R"({"order_id":"order-000017","items":[{"sku":"chair-oak","quantity":2},{"sku":"lamp-brass","quantity":1}],)"
    R"("total":25900,"currency":"EUR","country":"DE"})";

class Silent final : public LogSink {
 public:
  void write(Level, const RunIdentity&, std::string_view, std::string_view) override {}
};

std::string order_source() { return delivered_workflow("order_fulfillment"); }

// An order's life from start to end, and the tasks its worker was given.
struct Order {
  Order() {
    HistoryDriver driver(order_source(), {}, delivered_modules());
    for (const char* type : {"inventory.reserve", "payment.charge", "logistics.create_waybill", "inventory.confirm"}) {
      driver.on_activity(type, [](const auto&) { return Outcome::result(R"({"id":"0123456789","done":true})"); });
    }
    driver.start({kOrder});
    driver.run();
    history = driver.history();
    completed = driver.status() == "completed";
    for (int i = 0; i < history.events_size(); ++i) {
      if (history.events(i).event_type() == EVENT_TYPE_WORKFLOW_TASK_STARTED) started.push_back(i);
    }
  }

  // The events between the `number`th task's and the one before; the first is 0.
  Task task(size_t number) const {
    Task task;
    task.mutable_workflow_type()->set_name("order");
    task.mutable_workflow_execution()->set_workflow_id("order-000017");
    const int from = number == 0 ? 0 : started[number - 1] + 1;
    for (int i = from; i <= started[number]; ++i) *task.mutable_history()->add_events() = history.events(i);
    if (number > 0) task.set_previous_started_event_id(history.events(started[number - 1]).event_id());
    return task;
  }

  temporal::api::history::v1::History history;
  std::vector<int> started;
  bool completed = false;
};

const Order& order() {
  static const Order one;
  return one;
}

struct Worker {
  explicit Worker(HandlerOptions options = {}) : handler(definitions, log, options) {
    definitions.add(compile_definition("order", order_source(), delivered_modules()));
  }
  void handle(const Task& task, benchmark::State& state) {
    WorkflowTaskHandler::Answer answer;
    std::unique_ptr<WorkflowTaskHandler::Unfinished> unfinished;
    const auto verdict = handler.handle(task, "default", 200'000, answer, unfinished);
    const bool failed =
        std::holds_alternative<temporal::api::workflowservice::v1::RespondWorkflowTaskFailedRequest>(answer);
    if (verdict != WorkflowTaskHandler::Verdict::kAnswered) return state.SkipWithError("the task was not completed in its slice");
    if (failed)
      state.SkipWithError(std::get<temporal::api::workflowservice::v1::RespondWorkflowTaskFailedRequest>(answer).failure().message().c_str());
  }

  Definitions definitions;
  Silent log;
  WorkflowTaskHandler handler;
};

void set_run(Task& task, int number) {
  task.mutable_workflow_execution()->set_run_id(fmt::format("run-{:08}", number));
}

// State made, script started, first activity asked for, run put into the cache; and all of it freed.
void first_step(benchmark::State& state) {
  Worker worker;
  Task task = order().task(0);
  set_run(task, 0);
  for (auto _ : state) {
    worker.handle(task, state);
    worker.handler.forget("run-00000000");
  }
}

// Activity `number` is completed, the next is asked for. The runs take turns: with many of them none is in the
// processor's caches.
void cached_step(benchmark::State& state) {
  const auto number = static_cast<size_t>(state.range(0));
  const auto runs = static_cast<int>(state.range(1));
  Worker worker;
  for (auto _ : state) {
    std::vector<Task> tasks;
    for (int i = 0; i < runs; ++i) {
      for (size_t before = 0; before < number; ++before) {
        Task task = order().task(before);
        set_run(task, i);
        worker.handle(task, state);
      }
      tasks.push_back(order().task(number));
      set_run(tasks.back(), i);
    }
    const auto begin = Clock::now();
    for (const Task& task : tasks) worker.handle(task, state);
    state.SetIterationTime(std::chrono::duration<double>(Clock::now() - begin).count() / runs);
    for (const Task& task : tasks) worker.handler.forget(task.workflow_execution().run_id());
  }
}

// A run that nobody knows any more is asked for its status: its whole history is replayed.
void replay(benchmark::State& state) {
  if (!order().completed) return state.SkipWithError("the order was not completed");
  Worker worker;
  Task task;
  task.mutable_workflow_type()->set_name("order");
  set_run(task, 0);
  *task.mutable_history() = order().history;
  task.mutable_query()->set_query_type("status");
  for (auto _ : state) {
    worker.handle(task, state);
    worker.handler.forget("run-00000000");
  }
  state.counters["events"] = order().history.events_size();
}

// Runs that wait for their first activity: what the cache counts for each, and what the process took for it.
void waiting_runs(benchmark::State& state) {
  constexpr int kRuns = 2'000;
  for (auto _ : state) {
    HandlerOptions options;
    options.cached_bytes = size_t{1} << 30;
    Worker worker(options);
    const size_t before = mallinfo2().uordblks;
    for (int i = 0; i < kRuns; ++i) {
      Task task = order().task(0);
      set_run(task, i);
      worker.handle(task, state);
    }
    state.counters["counted_bytes"] = static_cast<double>(worker.handler.cache().bytes()) / kRuns;
    state.counters["heap_bytes"] = static_cast<double>(mallinfo2().uordblks - before) / kRuns;
  }
}

BENCHMARK(first_step)->Unit(benchmark::kMicrosecond);
BENCHMARK(cached_step)->Args({2, 8})->Iterations(1000)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(cached_step)
    ->Args({1, 1000})
    ->Args({2, 1000})
    ->Args({3, 1000})
    ->Args({4, 1000})
    ->Iterations(10)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(replay)->Unit(benchmark::kMicrosecond);
BENCHMARK(waiting_runs)->Iterations(1)->Unit(benchmark::kMillisecond);

struct Line {
  const char* benchmark;
  const char* meaning;
  double target_us;
};
constexpr Line kLines[] = {{"first_step", "new run, to its first command", 100},
                           {"cached_step/2/8", "cached step, 8 runs in turn", 30},
                           {"cached_step/1/1000", "cached step, 1000 runs in turn: pay", 30},
                           {"cached_step/2/1000", "cached step, 1000 runs in turn: ship", 30},
                           {"cached_step/3/1000", "cached step, 1000 runs in turn: confirm", 30},
                           {"cached_step/4/1000", "cached step, 1000 runs in turn: end", 30},
                           {"replay", "replay of the whole order", 0}};

class Table final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    fmt::print("{:<42} {:>10} {:>10}\n", "", "us", "target");
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.error_occurred) {
        fmt::print("{}: {}\n", run.benchmark_name(), run.error_message);
        continue;
      }
      const std::string name = run.benchmark_name();
      for (const Line& line : kLines) {
        if (name.substr(0, name.find("/iterations")) != line.benchmark) continue;
        fmt::print("{:<42} {:>10.1f} {:>10}\n", line.meaning, run.GetAdjustedRealTime(),
                   line.target_us > 0 ? fmt::format("{:.0f}", line.target_us) : "");
      }
      for (const auto& [counter, value] : run.counters) {
        fmt::print("{:<42} {:>10.0f}\n", fmt::format("  {} {}", run.run_name.function_name, counter), value.value);
      }
    }
  }
};

}  // namespace
}  // namespace skald::lua::testing

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  skald::lua::testing::Table table;
  benchmark::RunSpecifiedBenchmarks(&table);
  return 0;
}
