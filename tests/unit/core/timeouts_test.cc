// Timeouts that follow from others, and which of those that end together is the reason.
#include "tests/unit/core/run_fixture.h"

namespace skald::core {
namespace {

class TimeoutsTest : public RunTest {
 protected:
  const temporal::api::history::v1::WorkflowExecutionStartedEventAttributes& started() const {
    return events_.at(0).workflow_execution_started_event_attributes();
  }
  static temporal::api::command::v1::Command activity(int to_close, int to_start, int attempt, int heartbeat = 0) {
    auto command = schedule_activity("1");
    auto* given = command.mutable_schedule_activity_task_command_attributes();
    given->clear_start_to_close_timeout();
    if (to_close > 0) given->mutable_schedule_to_close_timeout()->set_seconds(to_close);
    if (to_start > 0) given->mutable_schedule_to_start_timeout()->set_seconds(to_start);
    if (attempt > 0) given->mutable_start_to_close_timeout()->set_seconds(attempt);
    if (heartbeat > 0) given->mutable_heartbeat_timeout()->set_seconds(heartbeat);
    given->mutable_retry_policy()->set_maximum_attempts(1);
    return command;
  }
  enums::TimeoutType timeout() const {
    return events_.at(events_.size() - 2).activity_task_timed_out_event_attributes().failure().timeout_failure_info().timeout_type();
  }
};

TEST_F(TimeoutsTest, ARunHasNoLongerThanItsExecution) {
  struct Case {
    int execution, run, task;
    int run_is, task_is;
  };
  const Case cases[] = {{0, 0, 0, 0, 10}, {60, 0, 0, 60, 10}, {60, 30, 0, 30, 10},  {60, 90, 0, 60, 10},
                        {0, 90, 0, 90, 10}, {5, 0, 0, 5, 5},   {0, 0, 999, 0, 120}, {0, 50, 999, 50, 50}};
  for (const Case& test : cases) {
    auto given = request();
    given.mutable_workflow_execution_timeout()->set_seconds(test.execution);
    given.mutable_workflow_run_timeout()->set_seconds(test.run);
    given.mutable_workflow_task_timeout()->set_seconds(test.task);
    events_.clear();
    begin(given);
    EXPECT_EQ(started().workflow_execution_timeout().seconds(), test.execution);
    EXPECT_EQ(started().workflow_run_timeout().seconds(), test.run_is) << test.execution << " " << test.run;
    EXPECT_EQ(started().workflow_task_timeout().seconds(), test.task_is) << test.run << " " << test.task;
    const absl::Time end = test.run_is == 0 ? absl::InfiniteFuture() : now_ + absl::Seconds(test.run_is);
    EXPECT_EQ(next_wake(run_), end);
  }
}

TEST_F(TimeoutsTest, ARunThatContinuesHasWhatIsLeftOfTheExecution) {
  auto given = request();
  given.mutable_workflow_execution_timeout()->set_seconds(60);
  begin(given);
  now_ += absl::Seconds(50);
  temporal::api::command::v1::Command command;
  command.set_command_type(enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
  command.mutable_continue_as_new_workflow_execution_command_attributes()->mutable_workflow_run_timeout()->set_seconds(90);
  Transition closed = complete(take_task(), {command});
  const auto& attributes = events_.back().workflow_execution_continued_as_new_event_attributes();
  EXPECT_EQ(attributes.workflow_run_timeout().seconds(), 60);
  const state::RunState& next = closed.successor->state;
  EXPECT_EQ(to_time(next.run_expiration()), now_ + absl::Seconds(10));
  EXPECT_EQ(to_time(next.execution_expiration()), now_ + absl::Seconds(10));
}

TEST_F(TimeoutsTest, AChildsTimeoutsAreSettledWhereItIsAskedFor) {
  begin(request());
  temporal::api::command::v1::Command command;
  command.set_command_type(enums::COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION);
  auto* child = command.mutable_start_child_workflow_execution_command_attributes();
  child->set_workflow_id("child");
  child->mutable_workflow_type()->set_name("pay");
  child->mutable_workflow_execution_timeout()->set_seconds(60);
  complete(take_task(), {command});
  const auto& initiated = events_.back().start_child_workflow_execution_initiated_event_attributes();
  EXPECT_EQ(initiated.workflow_run_timeout().seconds(), 60);
  EXPECT_EQ(initiated.workflow_task_timeout().seconds(), 10);
  EXPECT_EQ(initiated.workflow_id_reuse_policy(), enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE);
}

TEST_F(TimeoutsTest, ARootDoesNotNameItselfAsRoot) {
  begin(request());
  EXPECT_FALSE(started().has_root_workflow_execution());
  EXPECT_EQ(describe(run_).workflow_execution_info().root_execution().run_id(), run_.run_id());
}

TEST_F(TimeoutsTest, ScheduleToStartIsTheReasonWhereItEndsWithScheduleToClose) {
  begin(request());
  complete(take_task(), {activity(/*to_close=*/10, /*to_start=*/0, /*attempt=*/0)});
  EXPECT_EQ(next_wake(run_), now_ + absl::Seconds(10));
  now_ += absl::Seconds(10);
  apply_input(Tick{});
  EXPECT_EQ(timeout(), enums::TIMEOUT_TYPE_SCHEDULE_TO_START);
}

TEST_F(TimeoutsTest, OfTimeoutsThatPassedUnseenTheFirstIsTheReason) {
  begin(request());
  complete(take_task(), {activity(/*to_close=*/60, /*to_start=*/50, /*attempt=*/30, /*heartbeat=*/20)});
  take_activity(5);
  EXPECT_EQ(next_wake(run_), now_ + absl::Seconds(20));
  now_ += absl::Seconds(100);
  apply_input(Tick{});
  const auto& failure = events_.at(events_.size() - 2).activity_task_timed_out_event_attributes().failure();
  EXPECT_EQ(failure.timeout_failure_info().timeout_type(), enums::TIMEOUT_TYPE_HEARTBEAT);
}

TEST_F(TimeoutsTest, AHeartbeatPutsItsTimeoutOff) {
  begin(request());
  complete(take_task(), {activity(/*to_close=*/0, /*to_start=*/0, /*attempt=*/30, /*heartbeat=*/20)});
  const auto token = take_activity(5);
  now_ += absl::Seconds(15);
  apply_input(HeartbeatActivity{token, std::nullopt, "worker"});
  EXPECT_EQ(next_wake(run_), now_ + absl::Seconds(15)) << "start to close comes first";
  now_ += absl::Seconds(15);
  apply_input(Tick{});
  EXPECT_EQ(timeout(), enums::TIMEOUT_TYPE_START_TO_CLOSE);
}

}  // namespace
}  // namespace skald::core
