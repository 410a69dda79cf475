#include "tests/unit/core/run_fixture.h"

namespace skald::core {
namespace {

class ActivityTest : public RunTest {
 protected:
  static temporal::api::command::v1::Command cancel_activity(int64_t scheduled) {
    temporal::api::command::v1::Command command;
    command.set_command_type(enums::COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK);
    command.mutable_request_cancel_activity_task_command_attributes()->set_scheduled_event_id(scheduled);
    return command;
  }

  static common::Payloads payloads(const std::string& text) {
    common::Payloads result;
    result.add_payloads()->set_data(text);
    return result;
  }

  void wake_workflow() { EXPECT_TRUE(apply_input(signal("wake")).status.ok()); }
};

TEST_F(ActivityTest, CancellingAndClosingInOneTaskLeavesNoWorkflowTaskBehind) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  wake_workflow();
  EXPECT_TRUE(complete(take_task(), {cancel_activity(5), complete_workflow()}).effects.closed);
  const auto names = event_names();
  EXPECT_THAT(std::vector(names.end() - 4, names.end()),
              ElementsAre("WORKFLOW_TASK_COMPLETED", "ACTIVITY_TASK_CANCEL_REQUESTED", "ACTIVITY_TASK_CANCELED",
                          "WORKFLOW_EXECUTION_COMPLETED"));
}

TEST_F(ActivityTest, TheTaskThatACancellationCausesFollowsTheEventsOfAllCommands) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  wake_workflow();
  complete(take_task(), {cancel_activity(5), start_timer("t", absl::Seconds(1))});
  const auto names = event_names();
  EXPECT_THAT(std::vector(names.end() - 2, names.end()), ElementsAre("TIMER_STARTED", "WORKFLOW_TASK_SCHEDULED"));
}

TEST_F(ActivityTest, AnActivityCancelledByTheTaskThatScheduledItIsNotHandedOut) {
  begin(request());
  EXPECT_THAT(complete(take_task(), {schedule_activity("1"), cancel_activity(5)}).effects.dispatch_activities,
              IsEmpty());
}

TEST_F(ActivityTest, AStartedActivityHearsOfItsCancellationByHeartbeat) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  const auto token = take_activity(5);
  EXPECT_EQ(apply_input(CancelActivity{token, std::nullopt, "worker"}).status.code(),
            absl::StatusCode::kInvalidArgument)
      << "nobody asked for it";
  wake_workflow();
  complete(take_task(), {cancel_activity(5)});
  const Transition beat = apply_input(HeartbeatActivity{token, std::nullopt, "worker"});
  EXPECT_TRUE(std::get<ActivityHeartbeatRecorded>(beat.output).cancel_requested);
  EXPECT_FALSE(beat.durable);
  EXPECT_TRUE(apply_input(CancelActivity{token, std::nullopt, "worker"}).status.ok());
  EXPECT_THAT(run_.activities(), IsEmpty());
}

TEST_F(ActivityTest, HeartbeatDetailsSurviveIntoTheNextAttempt) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  apply_input(HeartbeatActivity{take_activity(5), payloads("half"), "worker"});
  now_ += absl::Seconds(10);
  apply_input(Tick{});
  now_ += absl::Seconds(1);
  apply_input(Tick{});
  const Transition again = apply_input(StartActivity{5, 2, "worker", "poll"});
  EXPECT_EQ(std::get<ActivityStarted>(again.output).response.heartbeat_details().payloads(0).data(), "half");
}

TEST_F(ActivityTest, ItsPollerHearsWhichRunWasTheFirstOfTheChain) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  const Transition started = apply_input(StartActivity{5, 1, "worker", "poll"});
  const auto& fields = std::get<ActivityStarted>(started.output).response.header().fields();
  ASSERT_TRUE(fields.contains("skald-first-run-id"));
  EXPECT_EQ(fields.at("skald-first-run-id").data(), run_.first_run_id());
}

TEST_F(ActivityTest, TheStartOfAnActivityIsDurableOnlyWhereItsAttemptsAreLimited) {
  begin(request());
  auto limited = schedule_activity("2");
  limited.mutable_schedule_activity_task_command_attributes()->mutable_retry_policy()->set_maximum_attempts(1);
  complete(take_task(), {schedule_activity("1"), limited});
  EXPECT_FALSE(apply_input(StartActivity{5, 1, "worker", "poll"}).durable);
  EXPECT_TRUE(apply_input(StartActivity{6, 1, "worker", "poll"}).durable);
}

TEST_F(ActivityTest, TheDelayThatAFailureAsksForOverridesThePolicy) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  FailActivity failed{take_activity(5), {}, std::nullopt, "worker"};
  set(failed.failure.mutable_application_failure_info()->mutable_next_retry_delay(), absl::Hours(5));
  apply_input(failed);
  EXPECT_EQ(next_wake(run_), now_ + absl::Hours(5));
}

TEST_F(ActivityTest, NoTimeForAnotherAttemptIsATimeoutCausedByTheLastFailure) {
  begin(request());
  auto command = schedule_activity("1");
  set(command.mutable_schedule_activity_task_command_attributes()->mutable_schedule_to_close_timeout(),
      absl::Milliseconds(500));
  complete(take_task(), {command});
  FailActivity failed{take_activity(5), {}, std::nullopt, "worker"};
  failed.failure.set_message("out of ink");
  failed.failure.mutable_application_failure_info();
  apply_input(failed);
  const auto found = std::find_if(events_.begin(), events_.end(), [](const auto& event) {
    return event.has_activity_task_timed_out_event_attributes();
  });
  ASSERT_NE(found, events_.end());
  const auto& failure = found->activity_task_timed_out_event_attributes().failure();
  EXPECT_EQ(failure.timeout_failure_info().timeout_type(), enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE);
  EXPECT_EQ(failure.cause().message(), "out of ink");
}

TEST_F(ActivityTest, ALongFailureIsCutBetweenCharacters) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  FailActivity failed{take_activity(5), {}, std::nullopt, "worker"};
  std::string& message = *failed.failure.mutable_message();
  for (int i = 0; i < 2'000; ++i) message += "\u20ac";
  failed.failure.mutable_application_failure_info();
  apply_input(failed);
  const std::string& kept = run_.activities().at(5).last_failure().message();
  EXPECT_LE(kept.size(), limits_.activity_failure_bytes / 2);
  EXPECT_EQ(kept.size() % 3, 0u);
}

TEST_F(ActivityTest, AnUnstartedActivityTimesOutByScheduleToStartWithoutRetry) {
  begin(request());
  auto command = schedule_activity("1");
  set(command.mutable_schedule_activity_task_command_attributes()->mutable_schedule_to_start_timeout(),
      absl::Seconds(3));
  complete(take_task(), {command});
  EXPECT_EQ(next_wake(run_), now_ + absl::Seconds(3));
  now_ += absl::Seconds(3);
  apply_input(Tick{});
  EXPECT_THAT(run_.activities(), IsEmpty());
  EXPECT_TRUE(run_.has_workflow_task());
}

TEST_F(ActivityTest, AnActivityCanBeCompletedByItsId) {
  begin(request());
  complete(take_task(), {schedule_activity("pay-7")});
  state::TaskToken token;
  token.set_activity_id("pay-7");
  EXPECT_TRUE(apply_input(CompleteActivity{token, std::nullopt, "operator"}).status.ok());
  EXPECT_TRUE(absl::IsNotFound(apply_input(CompleteActivity{token, std::nullopt, "operator"}).status));
}

TEST_F(ActivityTest, AResultThatArrivesDuringATaskNamesItsStartOnceBothAreWritten) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  const auto activity = take_activity(5);
  wake_workflow();
  const auto task = take_task();
  apply_input(CompleteActivity{activity, std::nullopt, "worker"});
  complete(task, {});
  const auto done = std::find_if(events_.begin(), events_.end(), [](const auto& event) {
    return event.has_activity_task_completed_event_attributes();
  });
  ASSERT_NE(done, events_.end());
  EXPECT_EQ(done->activity_task_completed_event_attributes().started_event_id(), done->event_id() - 1);
}

TEST_F(ActivityTest, StartedEventTellsWhenTheAttemptBegan) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  const int64_t scheduled = run_.activities().begin()->first;
  now_ += absl::Seconds(3);
  const state::TaskToken token = take_activity(scheduled);
  const absl::Time began = now_;
  now_ += absl::Seconds(5);
  apply_input(CompleteActivity{token, std::nullopt, "worker"});
  const auto started = std::find_if(events_.begin(), events_.end(), [](const auto& event) {
    return event.has_activity_task_started_event_attributes();
  });
  ASSERT_NE(started, events_.end());
  EXPECT_EQ(to_time(started->event_time()), began);
}

TEST_F(ActivityTest, StartedEventIsNotBeforeWhatWasWrittenMeanwhile) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  const state::TaskToken token = take_activity(run_.activities().begin()->first);
  now_ += absl::Seconds(5);
  apply_input(signal("later"));
  const absl::Time signalled = now_;
  now_ += absl::Seconds(5);
  apply_input(CompleteActivity{token, std::nullopt, "worker"});
  const auto started = std::find_if(events_.begin(), events_.end(), [](const auto& event) {
    return event.has_activity_task_started_event_attributes();
  });
  ASSERT_NE(started, events_.end());
  EXPECT_EQ(to_time(started->event_time()), signalled);
}

}  // namespace
}  // namespace skald::core
