#include "tests/bench/isolation/plugin_calls.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <fmt/core.h>

#include "plugins/host/plugin_host.h"

namespace skald::bench {
namespace {

constexpr int kCallers = 64;

absl::StatusOr<std::unique_ptr<plugins::PluginHost>> load(const std::string& folder, const std::string& isolation) {
  const std::string own = absl::StrCat(folder, "/", isolation);
  std::filesystem::create_directories(own);
  std::filesystem::copy(CRASHER, own + "/crasher.so", std::filesystem::copy_options::overwrite_existing);
  return plugins::PluginHost::load({.folder = own,
                                    .data_path = own + "/books",
                                    .config = {{"crasher", fmt::format(R"({{"isolation": "{}"}})", isolation)}},
                                    .strict = true});
}

// The failure's type, or "".
std::string run(plugins::PluginHost& host, const std::string& activity) {
  static std::atomic<int> last = 0;
  worker::wire::PollActivityTaskQueueResponse task;
  task.set_task_token("token");
  task.mutable_activity_type()->set_name("crasher." + activity);
  task.set_attempt(1);
  task.set_workflow_namespace("default");
  task.mutable_workflow_execution()->set_workflow_id("calls");
  task.mutable_workflow_execution()->set_run_id(absl::StrCat("run-", ++last));
  task.set_activity_id("1");
  task.mutable_start_to_close_timeout()->set_seconds(60);
  task.mutable_input()->add_payloads()->set_data(R"({"order_id": "o-1", "amount": 1250})");
  std::promise<std::string> done;
  host.execute(
      task, [](auto, auto) {},
      [&done](worker::ActivityOutcome outcome) {
        const auto* failure = std::get_if<temporal::api::failure::v1::Failure>(&outcome);
        done.set_value(failure == nullptr ? "" : failure->application_failure_info().type());
      });
  return done.get_future().get();
}

absl::Duration at(const std::vector<absl::Duration>& sorted, double part) {
  return sorted[std::min(sorted.size() - 1, static_cast<size_t>(part * static_cast<double>(sorted.size())))];
}

absl::Status measure_calls_in(const std::string& folder, const std::string& isolation, int calls) {
  auto host = load(folder, isolation);
  if (!host.ok()) return host.status();
  std::vector<absl::Duration> times;
  for (int i = 0; i < calls + calls / 10; ++i) {
    const absl::Time begin = absl::Now();
    if (run(**host, "echo") != "") return absl::InternalError("an activity failed");
    if (i >= calls / 10) times.push_back(absl::Now() - begin);
  }
  std::sort(times.begin(), times.end());
  const int many = 4 * calls;
  std::atomic<int> left = many;
  std::vector<std::thread> callers;
  const absl::Time begin = absl::Now();
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&] {
      while (left-- > 0) run(**host, "echo");
    });
  }
  for (auto& caller : callers) caller.join();
  fmt::print("| {:<10} | {:>8.1f} us | {:>8.1f} us | {:>14.0f} |\n", isolation == "none" ? "in process" : "isolated",
             absl::ToDoubleMicroseconds(at(times, 0.5)), absl::ToDoubleMicroseconds(at(times, 0.99)),
             many / absl::ToDoubleSeconds(absl::Now() - begin));
  return absl::OkStatus();
}

}  // namespace

absl::Status measure_restarts(const std::string& folder, int crashes) {
  auto host = load(folder, "process");
  if (!host.ok()) return host.status();
  std::vector<absl::Duration> times;
  for (int i = 0; i < crashes; ++i) {
    if (run(**host, "echo") != "") return absl::InternalError("an activity failed");
    const absl::Time begin = absl::Now();
    if (const std::string type = run(**host, "crash"); type != "PluginCrashed")
      return absl::InternalError("not a crash but " + type);
    if (run(**host, "echo") != "") return absl::InternalError("an activity failed");
    times.push_back(absl::Now() - begin);
  }
  std::sort(times.begin(), times.end());
  fmt::print(
      "{} crashes, from the attempt that crashes to the answer of the next: P50 {:.1f} ms, P99 {:.1f} ms, longest "
      "{:.1f} ms\n",
      crashes, absl::ToDoubleMilliseconds(at(times, 0.5)), absl::ToDoubleMilliseconds(at(times, 0.99)),
      absl::ToDoubleMilliseconds(times.back()));
  return absl::OkStatus();
}

absl::Status measure_calls(const std::string& folder, int calls) {
  fmt::print("| an activity | one at a time, P50 | P99 | {} at a time, activities/s |\n", kCallers);
  if (auto status = measure_calls_in(folder, "none", calls); !status.ok()) return status;
  return measure_calls_in(folder, "process", calls);
}

}  // namespace skald::bench
