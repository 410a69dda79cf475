// What a run's state counts of its history: every event that is written, once, whatever wrote it.
#include "tests/unit/core/run_fixture.h"

namespace skald::core {
namespace {

class CountsTest : public RunTest {
 protected:
  static int64_t bytes(const std::vector<temporal::api::history::v1::HistoryEvent>& events) {
    int64_t sum = 0;
    for (const auto& event : events) sum += static_cast<int64_t>(event.ByteSizeLong());
    return sum;
  }
  void expect_counted() { EXPECT_EQ(run_.history_size_bytes(), bytes(events_)); }
};

TEST_F(CountsTest, OfARunThatIsStartedEagerly) {
  auto eager = request();
  eager.set_request_eager_execution(true);
  begin(eager);
  ASSERT_THAT(event_names(), ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED"));
  EXPECT_TRUE(events_[0].workflow_execution_started_event_attributes().eager_execution_accepted());
  expect_counted();
  EXPECT_EQ(run_.state_transition_count(), 1);
}

TEST_F(CountsTest, OfEveryTransition) {
  begin(request());
  expect_counted();
  complete(take_task(), {schedule_activity("1"), start_timer("t", absl::Seconds(5))});
  expect_counted();
  apply_input(CompleteActivity{take_activity(5), std::nullopt, "worker"});
  expect_counted();
  take_task();
  now_ += absl::Seconds(5);
  apply_input(Tick{});
  apply_input(TerminateWorkflow{});
  expect_counted();
  // Start, task taken, task completed, activity taken and completed, task taken, timer, termination.
  EXPECT_EQ(run_.state_transition_count(), 8);
}

TEST_F(CountsTest, OfARunThatIsSignalledOrTerminatedByAStart) {
  begin(request());
  CurrentRun current{run_.run_id(), run_.status(), run_.start_request_id(), &run_};
  StartRequest again{request(), wire::SignalWithStartWorkflowExecutionRequest(), std::nullopt, std::nullopt};
  again.request.set_request_id("start-2");
  again.signal->set_signal_name("go");
  StartResult signalled = start(again, &current, context());
  record(signalled.current_changed->effects);
  expect_counted();
  again.signal.reset();
  again.request.set_workflow_id_conflict_policy(enums::WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING);
  StartResult terminated = start(again, &current, context());
  record(terminated.current_changed->effects);
  expect_counted();
  EXPECT_EQ(run_.state_transition_count(), 3);
}

TEST_F(CountsTest, ARefusedInputCountsForNothing) {
  begin(request());
  const std::string before = encode(run_);
  EXPECT_TRUE(absl::IsNotFound(apply_input(CompleteActivity{state::TaskToken(), std::nullopt, "worker"}).status));
  EXPECT_EQ(encode(run_), before);
}

}  // namespace
}  // namespace skald::core
