#include "temporal/api/enums/v1/common.pb.h"

#include "tests/unit/core/run_fixture.h"

namespace skald::core {
namespace {

TEST_F(RunTest, OneActivityWorkflowWritesTheEventsThatEverySdkExpects) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  CompleteActivity done{take_activity(5), std::nullopt, "worker"};
  EXPECT_TRUE(apply_input(done).status.ok());
  EXPECT_TRUE(complete(take_task(), {complete_workflow()}).effects.closed);
  EXPECT_THAT(event_names(),
              ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED",
                          "WORKFLOW_TASK_COMPLETED", "ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_STARTED",
                          "ACTIVITY_TASK_COMPLETED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED",
                          "WORKFLOW_TASK_COMPLETED", "WORKFLOW_EXECUTION_COMPLETED"));
}

TEST_F(RunTest, StartOfATaskNeedNotBeDurableButItsEndMust) {
  begin(request());
  StartWorkflowTask start{2, 1, "orders", "worker", "poll"};
  const Transition taken = apply_input(start);
  EXPECT_TRUE(taken.changed);
  EXPECT_FALSE(taken.durable);
  EXPECT_TRUE(absl::IsNotFound(apply_input(start).status)) << "a task is taken once";
}

TEST_F(RunTest, SameRequestIdAnswersWithTheSameRun) {
  begin(request());
  const CurrentRun current{run_.run_id(), run_.status(), "start-1", &run_};
  const StartResult again = start({request(), std::nullopt, std::nullopt, std::nullopt}, &current, context());
  EXPECT_TRUE(again.status.ok());
  EXPECT_EQ(again.run_id, run_.run_id());
  EXPECT_FALSE(again.created_run.has_value());
}

TEST_F(RunTest, AnOpenRunRefusesASecondStartAndSaysWhichRunItIs) {
  begin(request());
  auto second = request();
  second.set_request_id("start-2");
  const CurrentRun current{run_.run_id(), run_.status(), "start-1", &run_};
  const StartResult refused = start({second, std::nullopt, std::nullopt, std::nullopt}, &current, context());
  EXPECT_EQ(refused.status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(refused.status
                  .GetPayload("type.googleapis.com/temporal.api.errordetails.v1.WorkflowExecutionAlreadyStartedFailure")
                  .has_value());
}

TEST_F(RunTest, SignalsThatArriveDuringATaskAreBufferedAndSeenByTheNext) {
  begin(request());
  const auto token = take_task();
  EXPECT_TRUE(apply_input(signal("s1")).status.ok());
  EXPECT_EQ(events_.size(), 3u);
  const Transition refused = complete(token, {complete_workflow()});
  EXPECT_EQ(refused.status, absl::InvalidArgumentError("UnhandledCommand"));
  EXPECT_THAT(event_names(),
              ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED",
                          "WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED"));
  EXPECT_TRUE(complete(take_task(), {complete_workflow()}).effects.closed);
}

TEST_F(RunTest, ARepeatedSignalRequestDoesNothing) {
  begin(request());
  apply_input(signal("s1"));
  const Transition again = apply_input(signal("s1"));
  EXPECT_TRUE(again.status.ok());
  EXPECT_FALSE(again.changed);
}

TEST_F(RunTest, AClosedRunAnswersInTheWordsThatSdksMatchOn) {
  begin(request());
  complete(take_task(), {complete_workflow()});
  EXPECT_EQ(apply_input(signal("s1")).status.message(), "workflow execution already completed");
}

TEST_F(RunTest, ABadCommandFailsTheTaskOnceAndLeavesTheRestOfTheRunAlone) {
  begin(request());
  auto bad = schedule_activity("1");
  bad.mutable_schedule_activity_task_command_attributes()->clear_start_to_close_timeout();
  const Transition refused = complete(take_task(), {start_timer("t", absl::Seconds(1)), bad});
  EXPECT_EQ(refused.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status.message()), HasSubstr("BadScheduleActivityAttributes: "));
  EXPECT_THAT(run_.timers(), IsEmpty());
  EXPECT_EQ(run_.workflow_task().attempt(), 2);
  EXPECT_EQ(event_names().back(), "WORKFLOW_TASK_FAILED");
}

TEST_F(RunTest, LaterAttemptsOfATaskWriteNoEventsUntilOneCompletes) {
  begin(request());
  take_task();
  now_ += absl::Seconds(10);
  apply_input(Tick{});
  EXPECT_EQ(event_names().back(), "WORKFLOW_TASK_TIMED_OUT");
  const size_t written = events_.size();
  take_task();
  now_ += absl::Seconds(10);
  apply_input(Tick{});
  EXPECT_EQ(events_.size(), written);
  EXPECT_EQ(run_.workflow_task().attempt(), 3);
  complete(take_task(), {complete_workflow()});
  EXPECT_EQ(events_.size(), written + 4) << "scheduled, started, completed, and the close";
}

TEST_F(RunTest, AFailedActivityIsTriedAgainAfterItsBackoff) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  FailActivity failed{take_activity(5), {}, std::nullopt, "worker"};
  failed.failure.set_message("out of ink");
  failed.failure.mutable_application_failure_info()->set_type("Printer");
  EXPECT_TRUE(apply_input(failed).status.ok());
  EXPECT_EQ(next_wake(run_), now_ + absl::Seconds(1));
  now_ += absl::Seconds(1);
  EXPECT_THAT(apply_input(Tick{}).effects.dispatch_activities, ElementsAre(5));
  EXPECT_THAT(apply_input(Tick{}).effects.dispatch_activities, IsEmpty()) << "a retry is handed out once";
  CompleteActivity done{take_activity(5), std::nullopt, "worker"};
  EXPECT_TRUE(apply_input(done).status.ok());
  const auto started = std::find_if(events_.begin(), events_.end(), [](const auto& event) {
    return event.has_activity_task_started_event_attributes();
  });
  ASSERT_NE(started, events_.end());
  EXPECT_EQ(started->activity_task_started_event_attributes().attempt(), 2);
  EXPECT_EQ(started->activity_task_started_event_attributes().last_failure().message(), "out of ink");
}

TEST_F(RunTest, ANonRetryableFailureEndsTheActivity) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  FailActivity failed{take_activity(5), {}, std::nullopt, "worker"};
  failed.failure.mutable_application_failure_info()->set_non_retryable(true);
  apply_input(failed);
  EXPECT_THAT(run_.activities(), IsEmpty());
  EXPECT_TRUE(run_.has_workflow_task());
}

TEST_F(RunTest, CancellingAnActivityThatHasNotStartedCancelsItAtOnce) {
  begin(request());
  complete(take_task(), {schedule_activity("1"), start_timer("t", absl::Seconds(1))});
  now_ += absl::Seconds(1);
  apply_input(Tick{});
  temporal::api::command::v1::Command cancel;
  cancel.set_command_type(enums::COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK);
  cancel.mutable_request_cancel_activity_task_command_attributes()->set_scheduled_event_id(5);
  EXPECT_TRUE(complete(take_task(), {cancel}).status.ok());
  EXPECT_THAT(run_.activities(), IsEmpty());
  EXPECT_EQ(event_names().back(), "WORKFLOW_TASK_SCHEDULED") << "the workflow hears of the cancellation";
}

TEST_F(RunTest, TimersFireOnceAndInTheOrderOfTheirTimes) {
  begin(request());
  complete(take_task(), {start_timer("late", absl::Seconds(5)), start_timer("early", absl::Seconds(2))});
  now_ += absl::Minutes(1);
  apply_input(Tick{});
  std::vector<std::string> fired;
  for (const auto& event : events_) {
    if (event.has_timer_fired_event_attributes()) fired.push_back(event.timer_fired_event_attributes().timer_id());
  }
  EXPECT_THAT(fired, ElementsAre("early", "late"));
  EXPECT_FALSE(apply_input(Tick{}).changed);
}

TEST_F(RunTest, ARunTimeoutClosesTheRunWithNoWorkerPresent) {
  auto timed = request();
  timed.mutable_workflow_run_timeout()->set_seconds(60);
  begin(timed);
  EXPECT_EQ(next_wake(run_), now_ + absl::Seconds(60));
  now_ += absl::Seconds(60);
  EXPECT_TRUE(apply_input(Tick{}).effects.closed);
  EXPECT_EQ(run_.status(), enums::WORKFLOW_EXECUTION_STATUS_TIMED_OUT);
}

TEST_F(RunTest, AFailedWorkflowWithARetryPolicyGoesOnInANewRun) {
  auto retried = request();
  retried.mutable_retry_policy()->set_maximum_attempts(2);
  begin(retried);
  temporal::api::command::v1::Command fail;
  fail.set_command_type(enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION);
  fail.mutable_fail_workflow_execution_command_attributes()
      ->mutable_failure()
      ->mutable_application_failure_info()
      ->set_type("Oops");
  const Transition failed = complete(take_task(), {fail});
  ASSERT_TRUE(failed.successor.has_value());
  EXPECT_EQ(failed.successor->state.attempt(), 2);
  EXPECT_EQ(events_.back().workflow_execution_failed_event_attributes().new_execution_run_id(),
            failed.successor->state.run_id());
  EXPECT_FALSE(failed.successor->state.has_workflow_task()) << "its first task waits for the backoff";
}

TEST_F(RunTest, TimeInHistoryNeverRunsBackwards) {
  begin(request());
  now_ -= absl::Hours(1);
  apply_input(signal("s1"));
  EXPECT_EQ(to_time(events_.back().event_time()), to_time(events_.front().event_time()));
}

TEST_F(RunTest, AStickyTaskThatNobodyTakesGoesToTheNormalQueueWithoutCountingAsAFailure) {
  begin(request());
  CompleteWorkflowTask sticky{take_task(), {}};
  sticky.request.mutable_sticky_attributes()->mutable_worker_task_queue()->set_name("worker-1");
  apply_input(sticky);
  apply_input(signal("s1"));
  EXPECT_EQ(run_.workflow_task().task_queue().name(), "worker-1");
  now_ += absl::Seconds(10);
  apply_input(Tick{});
  EXPECT_EQ(run_.workflow_task().task_queue().name(), "orders");
  EXPECT_EQ(run_.workflow_task().attempt(), 1);
}

TEST_F(RunTest, TerminatesARunWhoseHistoryHasTooManyEvents) {
  limits_.history_error_events = 10;
  begin(request());
  Transition last;
  for (int i = 0; i < 20 && !last.effects.closed; ++i) last = apply_input(signal(std::to_string(i)));
  EXPECT_EQ(run_.status(), enums::WORKFLOW_EXECUTION_STATUS_TERMINATED);
  ASSERT_TRUE(events_.back().has_workflow_execution_terminated_event_attributes());
  EXPECT_EQ(events_.back().workflow_execution_terminated_event_attributes().reason(),
            "Workflow history count exceeds limit.");
  EXPECT_FALSE(last.effects.dispatch_workflow_task);
  EXPECT_TRUE(last.effects.visibility_changed);
}

TEST_F(RunTest, TerminatesARunWhoseHistoryIsTooLarge) {
  limits_.history_error_bytes = 1000;
  begin(request());
  SignalWorkflow large = signal("1");
  large.request.mutable_input()->add_payloads()->set_data(std::string(2000, 'x'));
  apply_input(large);
  EXPECT_EQ(run_.status(), enums::WORKFLOW_EXECUTION_STATUS_TERMINATED);
  EXPECT_EQ(events_.back().workflow_execution_terminated_event_attributes().reason(),
            "Workflow history size exceeds limit.");
}

TEST_F(RunTest, RefusesSignalsBeyondWhatATaskMayLeaveWaiting) {
  limits_.buffered_events = 1;
  begin(request());
  take_task();
  EXPECT_TRUE(apply_input(signal("1")).status.ok());
  EXPECT_TRUE(absl::IsResourceExhausted(apply_input(signal("2")).status));
  EXPECT_EQ(run_.buffered_events_size(), 1);
}

TEST_F(RunTest, LabelsSearchAttributesWithTheTypesOfTheirNamespace) {
  ns_.search_attributes = {{"Amount", enums::INDEXED_VALUE_TYPE_INT}, {"City", enums::INDEXED_VALUE_TYPE_KEYWORD}};
  begin(request());
  temporal::api::command::v1::Command upsert;
  upsert.set_command_type(enums::COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES);
  auto& fields = *upsert.mutable_upsert_workflow_search_attributes_command_attributes()
                      ->mutable_search_attributes()
                      ->mutable_indexed_fields();
  fields["Amount"].set_data("12");
  fields["City"].set_data("\"Bern\"");
  (*fields["City"].mutable_metadata())["type"] = "Text";
  complete(take_task(), {upsert});
  const auto& event = events_.back().upsert_workflow_search_attributes_event_attributes().search_attributes();
  for (const auto& values : {event.indexed_fields(), run_.search_attributes().indexed_fields()}) {
    EXPECT_EQ(values.at("Amount").metadata().at("type"), "Int");
    EXPECT_EQ(values.at("City").metadata().at("type"), "Text") << "what the worker says stands";
  }
}

}  // namespace
}  // namespace skald::core
