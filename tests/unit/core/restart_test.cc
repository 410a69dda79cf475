#include "tests/unit/core/run_fixture.h"

namespace skald::core {
namespace {

// What a run's state says after the life of a server in which it was written.
class RestartTest : public RunTest {
 protected:
  static constexpr uint64_t kLife = 1, kNextLife = 2;

  void schedule(int maximum_attempts = 0) {
    begin(request());
    auto command = schedule_activity("a");
    set(command.mutable_schedule_activity_task_command_attributes()->mutable_schedule_to_start_timeout(), absl::Seconds(5));
    command.mutable_schedule_activity_task_command_attributes()->mutable_retry_policy()->set_maximum_attempts(maximum_attempts);
    complete(take_task(), {command});
  }
  state::TaskToken start_in(uint64_t process) {
    Transition transition = apply_input(StartActivity{activity().scheduled_event_id(), 1, "worker", "poll", process});
    EXPECT_TRUE(transition.status.ok()) << transition.status;
    state::TaskToken token;
    token.ParseFromString(std::get<ActivityStarted>(transition.output).response.task_token());
    return token;
  }
  const state::PendingActivity& activity() const { return run_.activities().begin()->second; }
};

TEST_F(RestartTest, AnActivityOfAProcessThatIsGoneWaitsAgain) {
  schedule();
  const auto token = start_in(kLife);
  common::Payloads details;
  details.add_payloads()->set_data("half");
  apply_input(HeartbeatActivity{token, details, "worker"});
  now_ += absl::Seconds(7);
  const Transition forgot = apply_input(ForgetStarts{kNextLife});
  EXPECT_TRUE(forgot.changed);
  EXPECT_THAT(forgot.effects.dispatch_activities, ElementsAre(activity().scheduled_event_id()));
  EXPECT_FALSE(activity().has_started_time());
  EXPECT_EQ(activity().attempt(), 1);
  EXPECT_EQ(activity().heartbeat_details().payloads(0).data(), "half");
  EXPECT_THAT(waiting_activities(run_, now_), ElementsAre(activity().scheduled_event_id()));
  // It is not late: it was begun in time.
  EXPECT_THAT(apply_input(Tick{}).effects.events, IsEmpty());
  EXPECT_EQ(next_wake(run_), now_ + absl::Seconds(5));
  start_in(kNextLife);
}

TEST_F(RestartTest, OthersGoOn) {
  const struct {
    uint64_t began, reads;
    int maximum_attempts;
  } cases[] = {{0, kNextLife, 0}, {kLife, kLife, 0}, {kLife, kNextLife, 3}};
  for (const auto& [began, reads, maximum_attempts] : cases) {
    run_ = state::RunState();
    events_.clear();
    schedule(maximum_attempts);
    start_in(began);
    EXPECT_FALSE(apply_input(ForgetStarts{reads}).changed) << began << reads << maximum_attempts;
    EXPECT_TRUE(activity().has_started_time());
  }
}

TEST_F(RestartTest, AWorkflowTaskOfAProcessThatIsGoneHasTimedOut) {
  begin(request());
  const auto& task = run_.workflow_task();
  apply_input(StartWorkflowTask{task.scheduled_event_id(), 1, "orders", "embedded", "poll", kLife});
  EXPECT_FALSE(apply_input(ForgetStarts{kLife}).changed);
  const Transition forgot = apply_input(ForgetStarts{kNextLife});
  EXPECT_TRUE(forgot.durable);
  EXPECT_TRUE(forgot.effects.dispatch_workflow_task);
  EXPECT_EQ(event_names().back(), "WORKFLOW_TASK_TIMED_OUT");
  EXPECT_EQ(run_.workflow_task().attempt(), 2);
  EXPECT_EQ(run_.workflow_task().started_event_id(), 0);
}

TEST_F(RestartTest, AWorkflowTaskOfAnotherWorkerGoesOn) {
  begin(request());
  const auto token = take_task();
  EXPECT_FALSE(apply_input(ForgetStarts{kNextLife}).changed);
  EXPECT_TRUE(complete(token, {complete_workflow()}).status.ok());
}

TEST_F(RestartTest, AClosedRunHasNothingToForget) {
  begin(request());
  complete(take_task(), {complete_workflow()});
  EXPECT_FALSE(apply_input(ForgetStarts{kNextLife}).changed);
}

TEST_F(RestartTest, WhatARunWasToldIsKnownToItsSuccessor) {
  begin(request());
  apply_input(signal("told"));
  RequestCancelWorkflow cancel;
  cancel.request.set_request_id("cancelled");
  apply_input(cancel);
  temporal::api::command::v1::Command command;
  command.set_command_type(enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
  command.mutable_continue_as_new_workflow_execution_command_attributes()->mutable_workflow_type()->set_name("order");
  Transition continued = complete(take_task(), {command});
  ASSERT_TRUE(continued.successor.has_value());
  // Told once more, the run that ended says that it knows.
  EXPECT_TRUE(apply_input(signal("told")).status.ok());
  EXPECT_TRUE(apply_input(cancel).status.ok());
  EXPECT_FALSE(apply_input(signal("another")).status.ok());
  // And so does the one that goes on.
  run_ = continued.successor->state;
  events_.clear();
  record(continued.successor->effects);
  EXPECT_FALSE(apply_input(signal("told")).changed);
  EXPECT_FALSE(apply_input(cancel).changed);
  EXPECT_FALSE(run_.cancel_requested());
  EXPECT_EQ(run_.signal_count(), 0);
  EXPECT_TRUE(apply_input(signal("another")).changed);
}

}  // namespace
}  // namespace skald::core
