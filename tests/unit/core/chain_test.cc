#include "tests/unit/core/run_fixture.h"

namespace skald::core {
namespace {

using ChainTest = RunTest;

StartResult start_over(const wire::StartWorkflowExecutionRequest& request, state::RunState& run,
                       const Context& context) {
  const CurrentRun current{run.run_id(), run.status(), run.start_request_id(),
                           run.status() == enums::WORKFLOW_EXECUTION_STATUS_RUNNING ? &run : nullptr};
  return start({request, std::nullopt, std::nullopt, std::nullopt}, &current, context);
}

TEST_F(ChainTest, UseExistingAnswersWithTheOpenRun) {
  begin(request());
  auto second = request();
  second.set_request_id("start-2");
  second.set_workflow_id_conflict_policy(enums::WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING);
  const StartResult result = start_over(second, run_, context());
  EXPECT_TRUE(result.status.ok());
  EXPECT_EQ(result.run_id, run_.run_id());
  EXPECT_FALSE(result.created);
}

TEST_F(ChainTest, TerminateExistingEndsAndStartsInOneStep) {
  begin(request());
  auto second = request();
  second.set_request_id("start-2");
  second.set_workflow_id_conflict_policy(enums::WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING);
  const StartResult result = start_over(second, run_, context());
  EXPECT_TRUE(result.created);
  ASSERT_TRUE(result.current_changed.has_value());
  EXPECT_TRUE(result.current_changed->effects.closed);
  EXPECT_EQ(run_.status(), enums::WORKFLOW_EXECUTION_STATUS_TERMINATED);
  EXPECT_NE(result.run_id, run_.run_id());
}

TEST_F(ChainTest, ReusePoliciesLookAtHowTheLastRunEnded) {
  begin(request());
  complete(take_task(), {complete_workflow()});
  auto second = request();
  second.set_request_id("start-2");
  EXPECT_TRUE(start_over(second, run_, context()).created);
  second.set_workflow_id_reuse_policy(enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY);
  EXPECT_TRUE(absl::IsAlreadyExists(start_over(second, run_, context()).status));
  second.set_workflow_id_reuse_policy(enums::WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE);
  EXPECT_TRUE(absl::IsAlreadyExists(start_over(second, run_, context()).status));
}

TEST_F(ChainTest, AStartDelayHoldsBackTheFirstTask) {
  auto delayed = request();
  delayed.mutable_workflow_start_delay()->set_seconds(30);
  begin(delayed);
  EXPECT_FALSE(run_.has_workflow_task());
  EXPECT_EQ(next_wake(run_), now_ + absl::Seconds(30));
  now_ += absl::Seconds(30);
  EXPECT_TRUE(apply_input(Tick{}).effects.dispatch_workflow_task);
}

TEST_F(ChainTest, SignalWithStartEndsTheDelayOfTheOpenRun) {
  auto delayed = request();
  delayed.mutable_workflow_start_delay()->set_seconds(30);
  begin(delayed);
  EXPECT_FALSE(apply_input(signal("plain")).effects.dispatch_workflow_task) << "a signal alone waits for the first task";
  StartRequest again{request(), wire::SignalWithStartWorkflowExecutionRequest(), std::nullopt, std::nullopt};
  again.request.set_request_id("start-2");
  again.signal->set_signal_name("go");
  again.signal->set_request_id("signal-2");
  const CurrentRun current{run_.run_id(), run_.status(), run_.start_request_id(), &run_};
  const StartResult result = start(again, &current, context());
  ASSERT_TRUE(result.current_changed.has_value());
  record(result.current_changed->effects);
  EXPECT_TRUE(result.current_changed->effects.dispatch_workflow_task);
  EXPECT_TRUE(result.current_changed->durable);
  EXPECT_EQ(run_.workflow_task().attempt(), 1);
  EXPECT_EQ(next_wake(run_), absl::InfiniteFuture());
  EXPECT_THAT(event_names(), ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_EXECUTION_SIGNALED",
                                         "WORKFLOW_TASK_SCHEDULED"));
}

TEST_F(ChainTest, AnEagerStartCarriesTheFirstTask) {
  auto eager = request();
  eager.set_request_eager_execution(true);
  EXPECT_TRUE(start({eager, std::nullopt, std::nullopt, std::nullopt}, nullptr, context()).eager_task.has_value());
  eager.mutable_workflow_start_delay()->set_seconds(30);
  EXPECT_FALSE(start({eager, std::nullopt, std::nullopt, std::nullopt}, nullptr, context()).eager_task.has_value());
}

TEST_F(ChainTest, ContinueAsNewWithinASecondOfTheStartIsDelayedToIt) {
  begin(request());
  temporal::api::command::v1::Command command;
  command.set_command_type(enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
  command.mutable_continue_as_new_workflow_execution_command_attributes();
  const Transition closed = complete(take_task(), {command});
  ASSERT_TRUE(closed.successor.has_value());
  EXPECT_EQ(run_.status(), enums::WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW);
  EXPECT_EQ(closed.successor->state.first_run_id(), run_.first_run_id());
  EXPECT_EQ(next_wake(closed.successor->state), now_ + absl::Seconds(1));
}

TEST_F(ChainTest, ACronRunClosesAsCompletedAndNamesTheNext) {
  now_ = absl::FromUnixSeconds(1'700'000'000);  // 22:13:20 UTC
  auto hourly = request();
  hourly.set_cron_schedule("0 * * * *");
  begin(hourly);
  EXPECT_EQ(next_wake(run_), absl::FromUnixSeconds(1'700'002'800));
  now_ = absl::FromUnixSeconds(1'700'002'800);
  apply_input(Tick{});
  const Transition closed = complete(take_task(), {complete_workflow()});
  ASSERT_TRUE(closed.successor.has_value());
  EXPECT_EQ(run_.status(), enums::WORKFLOW_EXECUTION_STATUS_COMPLETED);
  EXPECT_EQ(next_wake(closed.successor->state), absl::FromUnixSeconds(1'700'006'400));
}

TEST_F(ChainTest, ABadCronScheduleIsRefusedAtTheStart) {
  auto bad = request();
  bad.set_cron_schedule("61 * * * *");
  EXPECT_TRUE(
      absl::IsInvalidArgument(start({bad, std::nullopt, std::nullopt, std::nullopt}, nullptr, context()).status));
}

TEST_F(ChainTest, TerminationNeedsNoWorkerAndEndsAStartedTask) {
  begin(request());
  take_task();
  EXPECT_TRUE(apply_input(TerminateWorkflow{}).effects.closed);
  const auto names = event_names();
  EXPECT_THAT(std::vector(names.end() - 2, names.end()),
              ElementsAre("WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_TERMINATED"));
  EXPECT_TRUE(is_expired(run_, now_ + absl::Hours(72)));
}

TEST_F(ChainTest, ARepeatedCancellationIsASuccessThatDoesNothing) {
  begin(request());
  EXPECT_TRUE(apply_input(RequestCancelWorkflow{}).changed);
  const Transition again = apply_input(RequestCancelWorkflow{});
  EXPECT_TRUE(again.status.ok());
  EXPECT_FALSE(again.changed);
}

}  // namespace
}  // namespace skald::core
