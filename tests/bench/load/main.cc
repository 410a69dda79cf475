// skald-load: a client and worker at once against any Temporal-compatible server on this machine: one-activity workflows, raw gRPC.
// Prints one table: workflows/s, start latency, time from start to completion.
#include <absl/strings/match.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "temporal/api/workflowservice/v1/service.grpc.pb.h"

namespace {

namespace api = temporal::api::workflowservice::v1;
namespace enums = temporal::api::enums::v1;
using Stub = api::WorkflowService::Stub;

struct Options {
  std::string address = "127.0.0.1:7233";
  bool remote = false;
  std::string ns = "default";
  int workflows = 3000;
  int in_flight = 64;
  int pollers = 16;
  int channels = 2;
  int limit_seconds = 120;
};

// One call under way; deletes itself after its callback.
template <typename Request, typename Response>
struct Call {
  grpc::ClientContext context;
  Request request;
  Response response;
};

template <typename Request, typename Response, typename F>
void call(Stub& stub, void (Stub::async::*method)(grpc::ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>), Request request,
          int deadline_seconds, F done) {
  auto* one = new Call<Request, Response>();
  one->request = std::move(request);
  one->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(deadline_seconds));
  (stub.async()->*method)(&one->context, &one->request, &one->response, [one, done = std::move(done)](grpc::Status status) {
    std::unique_ptr<Call<Request, Response>> owned(one);
    done(status, owned->response);
  });
}

class Load {
 public:
  explicit Load(const Options& options) : options_(options) {
    for (int i = 0; i < options.channels; ++i) {
      grpc::ChannelArguments arguments;
      arguments.SetInt("skald.channel", i);  // channels of equal arguments share a connection
      auto channel = grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
      stubs_.push_back(api::WorkflowService::NewStub(channel));
    }
    prefix_ = fmt::format("load-{}-", absl::ToUnixNanos(absl::Now()));
    queue_ = prefix_ + "queue";
  }

  bool run() {
    for (int i = 0; i < options_.pollers; ++i) {
      poll_workflow(i);
      poll_activity(i);
    }
    began_ = absl::Now();
    for (int i = 0; i < options_.in_flight; ++i) start_next();
    std::unique_lock lock(mutex_);
    const bool finished = ended_.wait_for(lock, std::chrono::seconds(options_.limit_seconds), [this] { return completed_ == options_.workflows || failed_; });
    took_ = absl::Now() - began_;
    stopping_ = true;
    return finished && !failed_;
  }

  void print() {
    const std::lock_guard lock(mutex_);
    fmt::print("| {:>9} | {:>9} | {:>11} | {:>11} | {:>11} | {:>14} | {:>14} |\n", "workflows", "in flight", "workflows/s", "start P50", "start P99", "complete P50",
               "complete P99");
    fmt::print("| {:>9} | {:>9} | {:>11.0f} | {:>8.2f} ms | {:>8.2f} ms | {:>11.2f} ms | {:>11.2f} ms |\n", completed_, options_.in_flight,
               completed_ / absl::ToDoubleSeconds(took_), percentile(starts_, 50), percentile(starts_, 99), percentile(completions_, 50),
               percentile(completions_, 99));
  }

 private:
  Stub& stub(int i) { return *stubs_[static_cast<size_t>(i) % stubs_.size()]; }

  static double percentile(std::vector<absl::Duration>& values, int percent) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return absl::ToDoubleMilliseconds(values[std::min(values.size() - 1, values.size() * static_cast<size_t>(percent) / 100)]);
  }

  void fail(const char* what, const grpc::Status& status) {
    if (stopping_) return;
    const std::lock_guard lock(mutex_);
    if (!failed_) fmt::print(stderr, "skald-load: {}: {}\n", what, status.error_message());
    failed_ = true;
    ended_.notify_all();
  }

  void start_next() {
    const int number = started_.fetch_add(1);
    if (number >= options_.workflows) return;
    api::StartWorkflowExecutionRequest request;
    request.set_namespace_(options_.ns);
    request.set_workflow_id(prefix_ + std::to_string(number));
    request.set_request_id(request.workflow_id());
    request.mutable_workflow_type()->set_name("one-activity");
    request.mutable_task_queue()->set_name(queue_);
    const absl::Time now = absl::Now();
    {
      const std::lock_guard lock(mutex_);
      begun_[request.workflow_id()] = now;
    }
    call<api::StartWorkflowExecutionRequest, api::StartWorkflowExecutionResponse>(
        stub(number), &Stub::async::StartWorkflowExecution, std::move(request), 30, [this, now](const grpc::Status& status, const auto&) {
          if (!status.ok()) return fail("start", status);
          const std::lock_guard lock(mutex_);
          starts_.push_back(absl::Now() - now);
        });
  }

  void workflow_ended(const std::string& id) {
    {
      const std::lock_guard lock(mutex_);
      const auto begun = begun_.find(id);
      if (begun == begun_.end()) return;
      completions_.push_back(absl::Now() - begun->second);
      begun_.erase(begun);
      if (++completed_ == options_.workflows) ended_.notify_all();
    }
    start_next();
  }

  void poll_workflow(int i) {
    if (stopping_) return;
    api::PollWorkflowTaskQueueRequest request;
    request.set_namespace_(options_.ns);
    request.mutable_task_queue()->set_name(queue_);
    request.set_identity("skald-load");
    call<api::PollWorkflowTaskQueueRequest, api::PollWorkflowTaskQueueResponse>(
        stub(i), &Stub::async::PollWorkflowTaskQueue, std::move(request), 70, [this, i](const grpc::Status& status, api::PollWorkflowTaskQueueResponse& task) {
          if (!status.ok()) return fail("poll of workflow tasks", status);
          if (!task.task_token().empty()) complete(i, task);
          poll_workflow(i);
        });
  }

  void complete(int i, const api::PollWorkflowTaskQueueResponse& task) {
    api::RespondWorkflowTaskCompletedRequest request;
    request.set_namespace_(options_.ns);
    request.set_task_token(task.task_token());
    const auto& events = task.history().events();
    const bool paid = std::any_of(events.begin(), events.end(), [](const auto& event) { return event.has_activity_task_completed_event_attributes(); });
    auto* command = request.add_commands();
    if (paid) {
      command->set_command_type(enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);
      command->mutable_complete_workflow_execution_command_attributes();
    } else {
      command->set_command_type(enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK);
      auto* attributes = command->mutable_schedule_activity_task_command_attributes();
      attributes->set_activity_id("1");
      attributes->mutable_activity_type()->set_name("pay");
      attributes->mutable_task_queue()->set_name(queue_);
      attributes->mutable_start_to_close_timeout()->set_seconds(60);
    }
    call<api::RespondWorkflowTaskCompletedRequest, api::RespondWorkflowTaskCompletedResponse>(
        stub(i), &Stub::async::RespondWorkflowTaskCompleted, std::move(request), 30,
        [this, paid, id = task.workflow_execution().workflow_id()](const grpc::Status& status, const auto&) {
          if (!status.ok()) return fail("completion of a workflow task", status);
          if (paid) workflow_ended(id);
        });
  }

  void poll_activity(int i) {
    if (stopping_) return;
    api::PollActivityTaskQueueRequest request;
    request.set_namespace_(options_.ns);
    request.mutable_task_queue()->set_name(queue_);
    request.set_identity("skald-load");
    call<api::PollActivityTaskQueueRequest, api::PollActivityTaskQueueResponse>(
        stub(i), &Stub::async::PollActivityTaskQueue, std::move(request), 70, [this, i](const grpc::Status& status, api::PollActivityTaskQueueResponse& task) {
          if (!status.ok()) return fail("poll of activities", status);
          if (!task.task_token().empty()) {
            api::RespondActivityTaskCompletedRequest done;
            done.set_namespace_(options_.ns);
            done.set_task_token(task.task_token());
            call<api::RespondActivityTaskCompletedRequest, api::RespondActivityTaskCompletedResponse>(
                stub(i), &Stub::async::RespondActivityTaskCompleted, std::move(done), 30, [this](const grpc::Status& answer, const auto&) {
                  if (!answer.ok()) fail("completion of an activity", answer);
                });
          }
          poll_activity(i);
        });
  }

  const Options options_;
  std::vector<std::unique_ptr<Stub>> stubs_;
  std::string prefix_;
  std::string queue_;
  std::atomic<int> started_{0};
  std::atomic<bool> stopping_{false};
  absl::Time began_;
  absl::Duration took_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::unordered_map<std::string, absl::Time> begun_;
  std::vector<absl::Duration> starts_;
  std::vector<absl::Duration> completions_;
  int completed_ = 0;
  bool failed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Measures one-activity workflows against a server on this machine", "skald-load"};
  app.add_option("--address", options.address, "The server")->capture_default_str();
  app.add_flag("--remote", options.remote, "The server is on another machine, and may be put under load");
  app.add_option("--namespace", options.ns)->capture_default_str();
  app.add_option("--workflows", options.workflows, "How many")->capture_default_str()->check(CLI::Range(1, 10'000'000));
  app.add_option("--in-flight", options.in_flight, "At once; 1 = an idle server")->capture_default_str()->check(CLI::Range(1, 100'000));
  app.add_option("--pollers", options.pollers, "Polls of each kind")->capture_default_str()->check(CLI::Range(1, 10'000));
  app.add_option("--channels", options.channels)->capture_default_str()->check(CLI::Range(1, 64));
  app.add_option("--limit", options.limit_seconds, "Gives up after so many seconds")->capture_default_str()->check(CLI::Range(1, 3'600));
  CLI11_PARSE(app, argc, argv);
  if (!options.remote && !absl::StartsWith(options.address, "127.") && !absl::StartsWith(options.address, "localhost:") && !absl::StartsWith(options.address, "[::1]:")) {
    fmt::print(stderr, "skald-load: {} is another machine; --remote says that it may be put under load\n", options.address);
    return 2;
  }
  auto* load = new Load(options);  // open polls outlive main's end: the process ends with them
  const bool fine = load->run();
  load->print();
  fflush(stdout);
  _exit(fine ? 0 : 1);
}
