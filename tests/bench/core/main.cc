// skald-core-bench: transitions of the pure state machine: an order of four activities, the steps of one of them, and a
// run's way to bytes.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "engine/base/random.h"
#include "engine/core/core.h"

namespace {

using namespace skald;
namespace wire = temporal::api::workflowservice::v1;
namespace enums = temporal::api::enums::v1;
using temporal::api::command::v1::Command;

constexpr int kActivities = 4;

// A run and what its worker would do with it.
class Order {
 public:
  Order() {
    ns_.id = "ns-id";
    ns_.name = "default";
  }

  void start() {
    wire::StartWorkflowExecutionRequest request;
    request.set_namespace_("default");
    request.set_workflow_id("order-1");
    request.set_request_id("start-1");
    request.mutable_workflow_type()->set_name("order");
    request.mutable_task_queue()->set_name("orders");
    request.mutable_input()->add_payloads()->set_data(
        R"({"order_id":"order-1","items":[{"sku":"T100","quantity":2}],"total":1390})");
    core::StartResult result = core::start({request, std::nullopt, std::nullopt, std::nullopt}, nullptr, context());
    state_ = std::move(result.created_run->state);
    ++transitions_;
  }

  void workflow_task(Command command) {
    const auto& task = state_.workflow_task();
    core::Transition started = apply(
        core::StartWorkflowTask{task.scheduled_event_id(), task.attempt(), task.task_queue().name(), "worker", "poll"});
    core::CompleteWorkflowTask completion;
    completion.token.ParseFromString(std::get<core::WorkflowTaskStarted>(started.output).response.task_token());
    *completion.request.add_commands() = std::move(command);
    apply(completion);
  }

  void activity(int number) {
    workflow_task(schedule(number));
    const int64_t scheduled = state_.activities().begin()->first;
    core::Transition started = apply(core::StartActivity{scheduled, 1, "worker", "poll"});
    core::CompleteActivity completion;
    completion.token.ParseFromString(std::get<core::ActivityStarted>(started.output).response.task_token());
    completion.result.emplace().add_payloads()->set_data(R"({"done":true})");
    apply(completion);
  }

  void finish() {
    Command command;
    command.set_command_type(enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);
    command.mutable_complete_workflow_execution_command_attributes();
    workflow_task(std::move(command));
  }

  const core::state::RunState& state() const { return state_; }
  int64_t transitions() const { return transitions_; }

 private:
  static Command schedule(int number) {
    Command command;
    command.set_command_type(enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK);
    auto* attributes = command.mutable_schedule_activity_task_command_attributes();
    attributes->set_activity_id(std::to_string(number));
    attributes->mutable_activity_type()->set_name("payment.charge");
    attributes->mutable_start_to_close_timeout()->set_seconds(10);
    attributes->mutable_input()->add_payloads()->set_data(R"({"order_id":"order-1","amount":1390})");
    return command;
  }

  core::Context context() {
    static const auto no_namespace = [](std::string_view) -> std::optional<std::string> { return std::nullopt; };
    static const auto any_type = [](const auto&, int) { return true; };
    return {now_, *random_, limits_, ns_, no_namespace, any_type};
  }

  core::Transition apply(const core::Input& input) {
    ++transitions_;
    return core::apply(state_, input, context());
  }

  const absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  std::unique_ptr<base::Random> random_ = base::make_seeded_random(7);
  core::Limits limits_;
  core::NamespaceSettings ns_;
  core::state::RunState state_;
  int64_t transitions_ = 0;
};

void whole_order(benchmark::State& bench) {
  int64_t transitions = 0;
  for (auto _ : bench) {
    Order order;
    order.start();
    for (int i = 0; i < kActivities; ++i) order.activity(i);
    order.finish();
    transitions += order.transitions();
  }
  bench.counters["transitions/s"] = benchmark::Counter(static_cast<double>(transitions), benchmark::Counter::kIsRate);
}
BENCHMARK(whole_order);

void run_to_bytes(benchmark::State& bench) {
  Order order;
  order.start();
  order.activity(0);
  size_t bytes = 0;
  for (auto _ : bench) {
    const std::string encoded = core::encode(order.state());
    bytes = encoded.size();
    benchmark::DoNotOptimize(encoded.data());
  }
  bench.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(run_to_bytes);

void bytes_to_run(benchmark::State& bench) {
  Order order;
  order.start();
  order.activity(0);
  const std::string encoded = core::encode(order.state());
  for (auto _ : bench) {
    core::state::RunState state;
    benchmark::DoNotOptimize(state.ParseFromString(encoded));
  }
}
BENCHMARK(bytes_to_run);

}  // namespace

BENCHMARK_MAIN();
