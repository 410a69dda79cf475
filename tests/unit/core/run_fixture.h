#pragma once

#include <algorithm>
#include <functional>

#include "temporal/api/enums/v1/event_type.pb.h"
#include "temporal/api/enums/v1/failed_cause.pb.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/core/core.h"
#include "engine/core/times.h"

namespace skald::core {

namespace common = temporal::api::common::v1;
namespace enums = temporal::api::enums::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A run under test: time, randomness and all events it has written.
class RunTest : public ::testing::Test {
 protected:
  RunTest() { ns_.id = "ns-id", ns_.name = "default"; }

  Context context() {
    static const auto no_namespace = [](std::string_view) -> std::optional<std::string> { return std::nullopt; };
    return {now_, *random_, limits_, ns_, no_namespace, is_of_type_};
  }

  wire::StartWorkflowExecutionRequest request() {
    wire::StartWorkflowExecutionRequest request;
    request.set_namespace_("default");
    request.set_workflow_id("order-1");
    request.mutable_workflow_type()->set_name("order");
    request.mutable_task_queue()->set_name("orders");
    request.set_request_id("start-1");
    return request;
  }

  void begin(const wire::StartWorkflowExecutionRequest& request) {
    StartResult result = start({request, std::nullopt, std::nullopt, std::nullopt}, nullptr, context());
    ASSERT_TRUE(result.status.ok()) << result.status;
    ASSERT_TRUE(result.created_run.has_value());
    run_ = std::move(result.created_run->state);
    record(result.created_run->effects);
  }

  Transition apply_input(const Input& input) {
    Transition transition = apply(run_, input, context());
    record(transition.effects);
    return transition;
  }

  // A worker takes the scheduled task.
  state::TaskToken take_task() {
    StartWorkflowTask start{run_.workflow_task().scheduled_event_id(), run_.workflow_task().attempt(),
                            run_.workflow_task().task_queue().name(), "worker", "poll"};
    Transition transition = apply_input(start);
    EXPECT_TRUE(transition.status.ok()) << transition.status;
    state::TaskToken token;
    token.ParseFromString(std::get<WorkflowTaskStarted>(transition.output).response.task_token());
    return token;
  }

  Transition complete(const state::TaskToken& token, std::vector<temporal::api::command::v1::Command> commands) {
    CompleteWorkflowTask input{token, {}};
    for (auto& command : commands) *input.request.add_commands() = std::move(command);
    return apply_input(input);
  }

  static temporal::api::command::v1::Command schedule_activity(const std::string& id) {
    temporal::api::command::v1::Command command;
    command.set_command_type(enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK);
    auto* attributes = command.mutable_schedule_activity_task_command_attributes();
    attributes->set_activity_id(id);
    attributes->mutable_activity_type()->set_name("pay");
    set(attributes->mutable_start_to_close_timeout(), absl::Seconds(10));
    return command;
  }

  static temporal::api::command::v1::Command start_timer(const std::string& id, absl::Duration after) {
    temporal::api::command::v1::Command command;
    command.set_command_type(enums::COMMAND_TYPE_START_TIMER);
    command.mutable_start_timer_command_attributes()->set_timer_id(id);
    set(command.mutable_start_timer_command_attributes()->mutable_start_to_fire_timeout(), after);
    return command;
  }

  static temporal::api::command::v1::Command complete_workflow() {
    temporal::api::command::v1::Command command;
    command.set_command_type(enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);
    command.mutable_complete_workflow_execution_command_attributes();
    return command;
  }

  state::TaskToken take_activity(int64_t scheduled) {
    Transition transition =
        apply_input(StartActivity{scheduled, run_.activities().at(scheduled).attempt(), "worker", "poll"});
    EXPECT_TRUE(transition.status.ok()) << transition.status;
    state::TaskToken token;
    token.ParseFromString(std::get<ActivityStarted>(transition.output).response.task_token());
    return token;
  }

  SignalWorkflow signal(const std::string& request_id) {
    SignalWorkflow input;
    input.request.set_signal_name("go");
    input.request.set_request_id(request_id);
    return input;
  }

  std::vector<std::string> event_names() const {
    std::vector<std::string> names;
    for (const auto& event : events_)
      names.push_back(enums::EventType_Name(event.event_type()).substr(sizeof("EVENT_TYPE_") - 1));
    return names;
  }

  // Events are numbered without a gap, their times never run backwards, and the state survives being stored.
  void record(const Effects& effects) {
    for (const auto& event : effects.events) {
      EXPECT_EQ(event.event_id(), static_cast<int64_t>(events_.size()) + 1);
      if (!events_.empty()) {
        EXPECT_GE(to_time(event.event_time()), to_time(events_.back().event_time()));
      }
      events_.push_back(event);
    }
    EXPECT_EQ(run_.next_event_id(), static_cast<int64_t>(events_.size()) + 1);
    state::RunState again;
    ASSERT_TRUE(again.ParseFromString(encode(run_)));
    EXPECT_EQ(encode(again), encode(run_));
  }

  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  std::unique_ptr<base::Random> random_ = base::make_seeded_random(7);
  Limits limits_;
  NamespaceSettings ns_;
  std::function<bool(const common::Payload&, int)> is_of_type_ = [](const common::Payload&, int) { return true; };
  state::RunState run_;
  std::vector<temporal::api::history::v1::HistoryEvent> events_;
};

}  // namespace skald::core
