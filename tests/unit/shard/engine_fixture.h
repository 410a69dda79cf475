#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <google/protobuf/util/time_util.h>

#include "engine/shard/engine_impl.h"
#include "tests/unit/shard/store_fixture.h"

namespace skald::shard {

class OneNamespace final : public NamespaceSource {
 public:
  std::shared_ptr<const core::NamespaceSettings> by_id(std::string_view id) const override {
    return id == settings->id ? settings : nullptr;
  }
  std::shared_ptr<const core::NamespaceSettings> by_name(std::string_view name) const override {
    return name == settings->name ? settings : nullptr;
  }
  std::shared_ptr<core::NamespaceSettings> settings = [] {
    auto made = std::make_shared<core::NamespaceSettings>();
    made->id = "ns";
    made->name = "default";
    return made;
  }();
};

// An engine with one owner over a store that is watched, and what its clients and workers ask. Requests are run until
// nothing is ready; time stands still meanwhile.
class EngineTest : public StoreTest {
 protected:
  EngineTest() { begin(); }
  ~EngineTest() override {
    if (matching_ != nullptr) end();
  }

  // An orderly end, and another life.
  void restart_in_order() {
    bool settled = false;
    engine_->drain();
    engine_->settle([&settled] { settled = true; });
    world_.run_ready();
    EXPECT_TRUE(settled);
    restart();
  }

  // One life of the engine on the same disk.
  void begin() {
    executor_ = world_.make_executor();
    timing_ = world_.make_executor();
    matching_ = std::make_unique<matching::Matching>(world_.clock(), *timing_, matching::MatchingOptions{.backlog_per_queue = backlog_});
    fatal_ = absl::OkStatus();
    lease_ = *store_.acquire(0, store::kSlots, "a test");
    std::vector<OwnerLoop> loops;
    loops.push_back({*executor_, lease_, base::make_seeded_random(++lives_), embedded_});
    engine_ = std::make_unique<EngineImpl>(
        EngineOptions{.clock = world_.clock(),
                      .store = store_,
                      .matching = *matching_,
                      .namespaces = namespaces_,
                      .limits = limits_,
                      .is_of_type = [](const auto&, int) { return true; },
                      .quarantine = quarantine_},
        owner_limits_, std::move(loops),
        [](const auto&, const auto&) { return std::map<std::string, store::AttributeValue>(); },
        [this](const absl::Status& status) { fatal_ = status; });
    engine_->start();
    world_.run_ready();
    store_.batches.clear();
    store_.reads.clear();
    store_.scans.clear();
  }
  // The process ends as with kill -9: what was not written is forgotten.
  void end() {
    matching_->stop();
    executor_.reset();
    timing_.reset();
    engine_.reset();
    matching_.reset();
  }
  void restart() {
    end();
    begin();
  }

  Call call() const {
    return {.ns = namespaces_.settings, .deadline = now() + absl::Seconds(60), .of_this_process = polls_within_};
  }

  // Answers with what the method answered, once all that is ready has run; UNKNOWN if it has not answered yet.
  template <typename Response, typename Request>
  absl::StatusOr<Response> ask(void (EngineImpl::*method)(Call, Request, Done<Response>), Request request) {
    auto answer = std::make_shared<absl::StatusOr<Response>>(absl::UnknownError("not answered"));
    ((*engine_).*method)(call(), std::move(request), [answer](absl::StatusOr<Response> response) { *answer = std::move(response); });
    world_.run_ready();
    return *answer;
  }

  absl::Status start(const std::string& id) {
    wire::StartWorkflowExecutionRequest request;
    request.set_namespace_("default");
    request.set_workflow_id(id);
    request.mutable_workflow_type()->set_name("order");
    request.mutable_task_queue()->set_name("orders");
    request.set_request_id("start " + id + std::to_string(++requests_));
    return ask(&EngineImpl::start_workflow, request).status();
  }
  absl::Status signal(const std::string& id, const std::string& name = "go") {
    wire::SignalWorkflowExecutionRequest request;
    request.mutable_workflow_execution()->set_workflow_id(id);
    request.set_signal_name(name);
    return ask(&EngineImpl::signal_workflow, request).status();
  }
  absl::Status terminate(const std::string& id) {
    wire::TerminateWorkflowExecutionRequest request;
    request.mutable_workflow_execution()->set_workflow_id(id);
    return ask(&EngineImpl::terminate, request).status();
  }
  absl::StatusOr<wire::DescribeWorkflowExecutionResponse> describe(const std::string& id) {
    wire::DescribeWorkflowExecutionRequest request;
    request.mutable_execution()->set_workflow_id(id);
    return ask(&EngineImpl::describe, request);
  }
  absl::StatusOr<WorkflowTask> poll_workflow_task(const std::string& queue = "orders") {
    wire::PollWorkflowTaskQueueRequest request;
    request.mutable_task_queue()->set_name(queue);
    request.set_identity("worker");
    return ask(&EngineImpl::poll_workflow_task, request);
  }
  // A poll of a worker within the process ends with it.
  bool polls_within_ = false;
  absl::StatusOr<wire::PollActivityTaskQueueResponse> poll_activity_task(const std::string& queue = "orders") {
    wire::PollActivityTaskQueueRequest request;
    request.mutable_task_queue()->set_name(queue);
    request.set_identity("worker");
    return ask(&EngineImpl::poll_activity_task, request);
  }
  absl::Status complete(const WorkflowTask& task, std::vector<temporal::api::command::v1::Command> commands = {}) {
    wire::RespondWorkflowTaskCompletedRequest request;
    request.set_task_token(task.head.task_token());
    for (auto& command : commands) *request.add_commands() = std::move(command);
    return ask(&EngineImpl::complete_workflow_task, request).status();
  }
  absl::Status complete_activity(const std::string& token) {
    wire::RespondActivityTaskCompletedRequest request;
    request.set_task_token(token);
    return ask(&EngineImpl::complete_activity, request).status();
  }
  absl::Status heartbeat(const std::string& token, const std::string& details = "") {
    wire::RecordActivityTaskHeartbeatRequest request;
    request.set_task_token(token);
    if (!details.empty()) request.mutable_details()->add_payloads()->set_data(details);
    return ask(&EngineImpl::heartbeat, request).status();
  }

  static temporal::api::command::v1::Command activity(const std::string& id, int maximum_attempts = 0) {
    temporal::api::command::v1::Command command;
    command.set_command_type(enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK);
    auto* attributes = command.mutable_schedule_activity_task_command_attributes();
    attributes->set_activity_id(id);
    attributes->mutable_activity_type()->set_name("charge");
    attributes->mutable_task_queue()->set_name("orders");
    *attributes->mutable_start_to_close_timeout() = google::protobuf::util::TimeUtil::SecondsToDuration(600);
    if (maximum_attempts > 0) attributes->mutable_retry_policy()->set_maximum_attempts(maximum_attempts);
    return command;
  }
  static temporal::api::command::v1::Command completion() {
    temporal::api::command::v1::Command command;
    command.set_command_type(enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);
    command.mutable_complete_workflow_execution_command_attributes();
    return command;
  }

  // The run's state as the store has it.
  core::state::RunState stored(const std::string& workflow_id) {
    core::state::RunState state;
    disk_->with([&](const store::Tables& tables) {
      const auto current = tables.current({"ns", workflow_id});
      if (!current) return;
      const auto row = tables.run({"ns", workflow_id, current->run_id});
      if (row) state.ParseFromString(row->state);
    });
    return state;
  }
  size_t commits() const { return store_.batches.size(); }

  OneNamespace namespaces_;
  EmbeddedWorker* embedded_ = nullptr;  // null: none
  Quarantine* quarantine_ = nullptr;    // null: none
  core::Limits limits_;
  OwnerLimits owner_limits_;
  size_t backlog_ = 10'000;
  uint64_t lives_ = 0;
  int requests_ = 0;
  std::unique_ptr<base::Executor> timing_;
  std::unique_ptr<matching::Matching> matching_;
  std::unique_ptr<EngineImpl> engine_;
  absl::Status fatal_;
};

}  // namespace skald::shard
