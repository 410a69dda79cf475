#include "plugins/tools/trial.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <fmt/core.h>

#include "cli/console.h"
#include "cli/time_text.h"

namespace skald::plugins {
namespace {

using temporal::api::common::v1::Payloads;
using temporal::api::failure::v1::Failure;

constexpr absl::Duration kFirstWait = absl::Seconds(1), kLongestWait = absl::Seconds(100);
constexpr auto kLook = std::chrono::milliseconds(50);  // for interrupts

std::atomic<int> interrupts{0};

// While it lives, interrupts are counted.
class InterruptCounter {
 public:
  InterruptCounter() {
    interrupts = 0;
    struct sigaction count {};
    count.sa_handler = [](int) { ++interrupts; };
    sigaction(SIGINT, &count, &before_);
  }
  ~InterruptCounter() { sigaction(SIGINT, &before_, nullptr); }

 private:
  struct sigaction before_ {};
};

std::string text_of(const Payloads& payloads) {
  return payloads.payloads_size() == 0 ? "" : payloads.payloads(0).data();
}

// What is known of an attempt that runs; outlives it, since heartbeats may come late.
struct Running {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<worker::ActivityOutcome> outcome;
  std::function<void()> cancel;
  std::string details;
};

worker::wire::PollActivityTaskQueueResponse task_of(const Trial& trial, int attempt, const std::string& details) {
  worker::wire::PollActivityTaskQueueResponse task;
  task.set_task_token("trial");
  task.mutable_activity_type()->set_name(trial.type);
  task.set_attempt(attempt);
  task.set_workflow_namespace(trial.namespace_name);
  task.mutable_workflow_type()->set_name("trial");
  task.mutable_workflow_execution()->set_workflow_id(trial.workflow_id);
  task.mutable_workflow_execution()->set_run_id("run-of-" + trial.workflow_id);
  (*task.mutable_header()->mutable_fields())["skald-first-run-id"].set_data(task.workflow_execution().run_id());
  task.set_activity_id("1");
  *task.mutable_start_to_close_timeout() = cli::to_proto(trial.timeout);
  if (!trial.input.empty()) {
    auto* payload = task.mutable_input()->add_payloads();
    (*payload->mutable_metadata())["encoding"] = "json/plain";
    payload->set_data(trial.input);
  }
  if (!details.empty()) task.mutable_heartbeat_details()->add_payloads()->set_data(details);
  return task;
}

worker::ActivityOutcome run_attempt(PluginHost& host, const Trial& trial, int attempt, std::string& details) {
  auto running = std::make_shared<Running>();
  running->details = details;
  host.execute(
      task_of(trial, attempt, details),
      [running, attempt](const Payloads& beat, std::function<void()> cancel) {
        std::lock_guard lock(running->mutex);
        running->details = text_of(beat);
        if (!running->outcome) running->cancel = std::move(cancel);
        fmt::print(stderr, "attempt {}: heartbeat {}\n", attempt, cli::one_line(running->details));
      },
      [running](worker::ActivityOutcome outcome) {
        std::lock_guard lock(running->mutex);
        running->outcome = std::move(outcome);
        running->changed.notify_all();
      });
  int heard = interrupts;
  std::unique_lock lock(running->mutex);
  while (!running->changed.wait_for(lock, kLook, [&] { return running->outcome.has_value(); })) {
    if (interrupts == heard) continue;
    const bool first = heard == 0;
    heard = interrupts;
    const auto cancel = running->cancel;
    lock.unlock();
    if (first && cancel) {
      cancel();
    } else {
      host.stop(absl::Seconds(1));
    }
    lock.lock();
  }
  running->cancel = nullptr;  // it holds the call, and the call holds this
  details = running->details;
  return *std::move(running->outcome);
}

// How long until the next attempt; nothing when there is to be none.
std::optional<absl::Duration> wait_after(const worker::ActivityOutcome& outcome, int attempt) {
  const auto* failure = std::get_if<Failure>(&outcome);
  if (failure == nullptr) return std::nullopt;
  const auto& info = failure->application_failure_info();
  if (info.non_retryable()) return std::nullopt;
  if (info.has_next_retry_delay()) return cli::to_duration(info.next_retry_delay());
  return std::min(kFirstWait * (int64_t{1} << std::min(attempt - 1, 10)), kLongestWait);
}

std::string failure_text(const Failure& failure) {
  const std::string& type = failure.application_failure_info().type();
  return cli::one_line(absl::StrCat(type, type.empty() ? "" : ": ", failure.message()), 500);
}

}  // namespace

worker::ActivityOutcome run_trial(PluginHost& host, const Trial& trial) {
  const InterruptCounter counter;
  std::string details;
  for (int attempt = 1;; ++attempt) {
    auto outcome = run_attempt(host, trial, attempt, details);
    const auto wait = wait_after(outcome, attempt);
    if (attempt >= trial.attempts || !wait || interrupts > 0) return outcome;
    fmt::print(stderr, "attempt {}: {}; again in {}\n", attempt, failure_text(std::get<Failure>(outcome)),
               cli::duration_text(*wait));
    const absl::Time due = absl::Now() + *wait;
    while (absl::Now() < due && interrupts == 0)
      absl::SleepFor(std::min(absl::FromChrono(kLook), std::max(due - absl::Now(), absl::ZeroDuration())));
    if (interrupts > 0) return outcome;
  }
}

}  // namespace skald::plugins
