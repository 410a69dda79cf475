#include "tests/bench/load/load.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "temporal/api/workflowservice/v1/service.grpc.pb.h"
#include <absl/time/clock.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>

namespace skald::bench {
namespace {

namespace wire = temporal::api::workflowservice::v1;
namespace enums = temporal::api::enums::v1;
using Stub = wire::WorkflowService::Stub;

// One call under way; deletes itself after its callback.
template <typename Request, typename Response>
struct Call {
  grpc::ClientContext context;
  Request request;
  Response response;
};

template <typename Request, typename Response, typename F>
void call(Stub& stub,
          void (Stub::async::*method)(grpc::ClientContext*, const Request*, Response*,
                                      std::function<void(grpc::Status)>),
          Request request, int deadline_seconds, F done) {
  auto* one = new Call<Request, Response>();
  one->request = std::move(request);
  one->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(deadline_seconds));
  (stub.async()->*method)(&one->context, &one->request, &one->response,
                          [one, done = std::move(done)](grpc::Status status) {
                            std::unique_ptr<Call<Request, Response>> owned(one);
                            done(status, owned->response);
                          });
}

class Load {
 public:
  explicit Load(const LoadOptions& options) : options_(options) {
    for (int i = 0; i < options.channels; ++i) {
      grpc::ChannelArguments arguments;
      arguments.SetInt("skald.channel", i);  // channels of equal arguments share a connection
      auto channel = grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
      stubs_.push_back(wire::WorkflowService::NewStub(channel));
    }
    prefix_ = fmt::format("load-{}-", absl::ToUnixNanos(absl::Now()));
    queue_ = prefix_ + "queue";
  }

  absl::StatusOr<LoadResult> run() {
    for (int i = 0; i < options_.pollers; ++i) {
      poll_workflow(i);
      poll_activity(i);
    }
    began_ = absl::Now();
    for (int i = 0; i < options_.in_flight; ++i) start_next();
    std::unique_lock lock(mutex_);
    const bool finished = ended_.wait_for(lock, std::chrono::seconds(options_.limit_seconds),
                                          [this] { return completed_ == options_.workflows || !problem_.ok(); });
    stopping_ = true;
    if (!problem_.ok()) return problem_;
    if (!finished)
      return absl::DeadlineExceededError(
          fmt::format("{} of {} workflows in {} s", completed_, options_.workflows, options_.limit_seconds));
    LoadResult result{completed_, absl::Now() - began_, starts_, completions_};
    std::sort(result.starts.begin(), result.starts.end());
    std::sort(result.completions.begin(), result.completions.end());
    return result;
  }

 private:
  Stub& stub(int i) { return *stubs_[static_cast<size_t>(i) % stubs_.size()]; }

  void fail(const char* what, const grpc::Status& status) {
    if (stopping_) return;
    const std::lock_guard lock(mutex_);
    if (problem_.ok()) problem_ = absl::UnavailableError(fmt::format("{}: {}", what, status.error_message()));
    ended_.notify_all();
  }

  void start_next() {
    const int number = started_.fetch_add(1);
    if (number >= options_.workflows) return;
    wire::StartWorkflowExecutionRequest request;
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
    call<wire::StartWorkflowExecutionRequest, wire::StartWorkflowExecutionResponse>(
        stub(number), &Stub::async::StartWorkflowExecution, std::move(request), 30,
        [this, now](const grpc::Status& status, const auto&) {
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
    wire::PollWorkflowTaskQueueRequest request;
    request.set_namespace_(options_.ns);
    request.mutable_task_queue()->set_name(queue_);
    request.set_identity("skald-load");
    call<wire::PollWorkflowTaskQueueRequest, wire::PollWorkflowTaskQueueResponse>(
        stub(i), &Stub::async::PollWorkflowTaskQueue, std::move(request), 70,
        [this, i](const grpc::Status& status, wire::PollWorkflowTaskQueueResponse& task) {
          if (!status.ok()) return fail("poll of workflow tasks", status);
          if (!task.task_token().empty()) complete(i, task);
          poll_workflow(i);
        });
  }

  void complete(int i, const wire::PollWorkflowTaskQueueResponse& task) {
    wire::RespondWorkflowTaskCompletedRequest request;
    request.set_namespace_(options_.ns);
    request.set_task_token(task.task_token());
    const auto& events = task.history().events();
    const bool paid = std::any_of(events.begin(), events.end(), [](const auto& event) {
      return event.has_activity_task_completed_event_attributes();
    });
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
    call<wire::RespondWorkflowTaskCompletedRequest, wire::RespondWorkflowTaskCompletedResponse>(
        stub(i), &Stub::async::RespondWorkflowTaskCompleted, std::move(request), 30,
        [this, paid, id = task.workflow_execution().workflow_id()](const grpc::Status& status, const auto&) {
          if (!status.ok()) return fail("completion of a workflow task", status);
          if (paid) workflow_ended(id);
        });
  }

  void poll_activity(int i) {
    if (stopping_) return;
    wire::PollActivityTaskQueueRequest request;
    request.set_namespace_(options_.ns);
    request.mutable_task_queue()->set_name(queue_);
    request.set_identity("skald-load");
    call<wire::PollActivityTaskQueueRequest, wire::PollActivityTaskQueueResponse>(
        stub(i), &Stub::async::PollActivityTaskQueue, std::move(request), 70,
        [this, i](const grpc::Status& status, wire::PollActivityTaskQueueResponse& task) {
          if (!status.ok()) return fail("poll of activities", status);
          if (!task.task_token().empty()) {
            wire::RespondActivityTaskCompletedRequest done;
            done.set_namespace_(options_.ns);
            done.set_task_token(task.task_token());
            call<wire::RespondActivityTaskCompletedRequest, wire::RespondActivityTaskCompletedResponse>(
                stub(i), &Stub::async::RespondActivityTaskCompleted, std::move(done), 30,
                [this](const grpc::Status& answer, const auto&) {
                  if (!answer.ok()) fail("completion of an activity", answer);
                });
          }
          poll_activity(i);
        });
  }

  const LoadOptions options_;
  std::vector<std::unique_ptr<Stub>> stubs_;
  std::string prefix_;
  std::string queue_;
  std::atomic<int> started_{0};
  std::atomic<bool> stopping_{false};
  absl::Time began_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::unordered_map<std::string, absl::Time> begun_;
  std::vector<absl::Duration> starts_;
  std::vector<absl::Duration> completions_;
  int completed_ = 0;
  absl::Status problem_;
};

}  // namespace

absl::StatusOr<LoadResult> run_load(const LoadOptions& options) {
  auto* load = new Load(options);  // open polls hold on to it
  return load->run();
}

}  // namespace skald::bench
