// What commands, answers and waiting events may carry.
#include "temporal/api/enums/v1/workflow.pb.h"

#include "tests/unit/core/run_fixture.h"

namespace skald::core {
namespace {

using temporal::api::command::v1::Command;

class SizesTest : public RunTest {
 protected:
  SizesTest() { limits_.blob_error_bytes = limits_.memo_error_bytes = 1'000, limits_.blob_warn_bytes = 500; }

  static Command command(enums::CommandType type) {
    Command command;
    command.set_command_type(type);
    return command;
  }
  static common::Payloads large() {
    common::Payloads payloads;
    payloads.add_payloads()->set_data(std::string(2'000, 'x'));
    return payloads;
  }
  static void enlarge(common::Header* header) { (*header->mutable_fields())["h"] = large().payloads(0); }
  static void enlarge(common::Memo* memo) { (*memo->mutable_fields())["m"] = large().payloads(0); }

  static temporal::api::failure::v1::Failure nested(int levels) {
    temporal::api::failure::v1::Failure failure;
    auto* deepest = &failure;
    for (int level = 1; level < levels; ++level) deepest = deepest->mutable_cause();
    return failure;
  }
  static int depth(const temporal::api::failure::v1::Failure& failure) {
    int levels = 1;
    for (const auto* at = &failure; at->has_cause(); at = &at->cause()) ++levels;
    return levels;
  }
};

TEST_F(SizesTest, ACommandBeyondTheLimitFailsItsTaskWithTheCauseOfItsType) {
  std::vector<std::pair<Command, enums::WorkflowTaskFailedCause>> cases;
  const auto add = [&](enums::CommandType type, enums::WorkflowTaskFailedCause cause) -> Command& {
    return cases.emplace_back(command(type), cause).first;
  };
  {
    constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES;
    *cases.emplace_back(schedule_activity("1"), kCause).first.mutable_schedule_activity_task_command_attributes()->mutable_input() = large();
    enlarge(cases.emplace_back(schedule_activity("1"), kCause).first.mutable_schedule_activity_task_command_attributes()->mutable_header());
  }
  *add(enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES)
       .mutable_complete_workflow_execution_command_attributes()
       ->mutable_result() = large();
  *add(enums::COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES)
       .mutable_cancel_workflow_execution_command_attributes()
       ->mutable_details() = large();
  {
    const auto more = [&] {
      return add(enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES)
          .mutable_continue_as_new_workflow_execution_command_attributes();
    };
    *more()->mutable_input() = large();
    enlarge(more()->mutable_header());
    enlarge(more()->mutable_memo());
  }
  {
    const auto more = [&] {
      auto* marker = add(enums::COMMAND_TYPE_RECORD_MARKER, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_RECORD_MARKER_ATTRIBUTES)
                         .mutable_record_marker_command_attributes();
      marker->set_marker_name("m");
      return marker;
    };
    (*more()->mutable_details())["d"] = large();
    enlarge(more()->mutable_header());
  }
  {
    const auto more = [&] {
      auto* signal =
          add(enums::COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES)
              .mutable_signal_external_workflow_execution_command_attributes();
      signal->mutable_execution()->set_workflow_id("other");
      signal->set_signal_name("go");
      return signal;
    };
    *more()->mutable_input() = large();
    enlarge(more()->mutable_header());
  }
  {
    const auto more = [&] {
      auto* child = add(enums::COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES)
                        .mutable_start_child_workflow_execution_command_attributes();
      child->set_workflow_id("child");
      child->mutable_workflow_type()->set_name("pay");
      return child;
    };
    *more()->mutable_input() = large();
    enlarge(more()->mutable_header());
    enlarge(more()->mutable_memo());
  }
  enlarge(add(enums::COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES)
              .mutable_modify_workflow_properties_command_attributes()
              ->mutable_upserted_memo());

  for (const auto& [bad, cause] : cases) {
    events_.clear();
    begin(request());
    const Transition transition = complete(take_task(), {bad});
    EXPECT_TRUE(absl::IsInvalidArgument(transition.status)) << bad.DebugString().substr(0, 200);
    ASSERT_TRUE(events_.back().has_workflow_task_failed_event_attributes());
    EXPECT_EQ(events_.back().workflow_task_failed_event_attributes().cause(), cause);
    EXPECT_THAT(std::string(transition.status.message()), HasSubstr("exceeds"));
  }
}

TEST_F(SizesTest, AnAnswerBeyondTheLimitFailsItsActivityAndIsNotTriedAgain) {
  const auto failed = [&](auto answer, const char* text) {
    events_.clear();
    begin(request());
    complete(take_task(), {schedule_activity("1")});
    const Transition transition = apply_input(answer(take_activity(5)));
    EXPECT_TRUE(transition.status.ok()) << transition.status;
    EXPECT_TRUE(run_.activities().empty());
    const auto& failure = events_.at(events_.size() - 2).activity_task_failed_event_attributes().failure();
    EXPECT_EQ(failure.message(), text);
    EXPECT_TRUE(failure.server_failure_info().non_retryable());
    return transition;
  };
  failed([](auto token) { return CompleteActivity{token, large(), "worker"}; }, "Complete result exceeds size limit.");
  const Transition beat =
      failed([](auto token) { return HeartbeatActivity{token, large(), "worker"}; }, "Heartbeat details exceed size limit.");
  EXPECT_TRUE(std::get<ActivityHeartbeatRecorded>(beat.output).cancel_requested);
  failed(
      [](auto token) {
        FailActivity input{token, {}, std::nullopt, "worker"};
        input.failure.set_message(std::string(5'000, 'x'));
        return input;
      },
      "Failure exceeds size limit.");
  EXPECT_EQ(events_.at(events_.size() - 2).activity_task_failed_event_attributes().failure().cause().message(), std::string(250, 'x'));
}

TEST_F(SizesTest, HeartbeatDetailsOfAFailedAttemptAreLeftOutWhereTheyAreTooLarge) {
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  const auto token = take_activity(5);
  common::Payloads small;
  small.add_payloads()->set_data("half");
  apply_input(HeartbeatActivity{token, small, "worker"});
  apply_input(FailActivity{token, {}, large(), "worker"});
  EXPECT_EQ(run_.activities().at(5).heartbeat_details().payloads(0).data(), "half");
}

TEST_F(SizesTest, ChainsOfCausesAreCutWhereverTheyComeIn) {
  limits_.failure_depth = 3;
  auto given = request();
  *given.mutable_continued_failure() = nested(1'000);
  begin(given);
  EXPECT_EQ(depth(run_.last_failure()), 3);
  EXPECT_EQ(depth(events_.at(0).workflow_execution_started_event_attributes().continued_failure()), 3);

  FailWorkflowTask failed_task{take_task(), {}};
  *failed_task.request.mutable_failure() = nested(1'000);
  apply_input(failed_task);
  EXPECT_EQ(depth(events_.back().workflow_task_failed_event_attributes().failure()), 3);

  Command marker = command(enums::COMMAND_TYPE_RECORD_MARKER);
  marker.mutable_record_marker_command_attributes()->set_marker_name("m");
  *marker.mutable_record_marker_command_attributes()->mutable_failure() = nested(1'000);
  complete(take_task(), {schedule_activity("1"), marker});
  EXPECT_EQ(depth(events_.back().marker_recorded_event_attributes().failure()), 3);

  const auto token = take_activity(events_.at(events_.size() - 2).event_id());
  FailActivity failed{token, nested(1'000), std::nullopt, "worker"};
  failed.failure.mutable_application_failure_info()->set_non_retryable(true);
  apply_input(failed);
  EXPECT_EQ(depth(events_.at(events_.size() - 2).activity_task_failed_event_attributes().failure()), 3);

  Command fail = command(enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION);
  *fail.mutable_fail_workflow_execution_command_attributes()->mutable_failure() = nested(1'000);
  complete(take_task(), {fail});
  EXPECT_EQ(depth(events_.back().workflow_execution_failed_event_attributes().failure()), 3);
}

TEST_F(SizesTest, AFailureOfTheDefaultDepthIsReadBackWithWhateverIsAroundIt) {
  begin(request());
  state::ParentInfo parent;
  parent.set_run_id("parent");
  *run_.mutable_parent() = parent;
  Command fail = command(enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION);
  auto* failure = fail.mutable_fail_workflow_execution_command_attributes()->mutable_failure();
  *failure = nested(1'000);
  const Transition closed = complete(take_task(), {fail});
  ASSERT_EQ(closed.effects.outbox.size(), 1u);
  state::OutboxMessage again;
  EXPECT_TRUE(again.ParseFromString(closed.effects.outbox[0].SerializeAsString()));
}

TEST_F(SizesTest, EventsThatCannotBeRefusedEndTheTaskTheyWaitForWhenTheyAreTooMany) {
  limits_.buffered_events = 3;
  begin(request());
  complete(take_task(), {start_timer("1", absl::Seconds(1)), start_timer("2", absl::Seconds(1)), start_timer("3", absl::Seconds(1)),
                         start_timer("4", absl::Seconds(1))});
  apply_input(signal("wake"));
  const auto token = take_task();
  now_ += absl::Seconds(1);
  const Transition ticked = apply_input(Tick{});
  EXPECT_EQ(run_.buffered_events_size(), 0);
  EXPECT_TRUE(ticked.effects.dispatch_workflow_task);
  EXPECT_TRUE(ticked.durable);
  const auto names = event_names();
  EXPECT_THAT(std::vector(names.end() - 6, names.end()),
              ElementsAre("WORKFLOW_TASK_FAILED", "TIMER_FIRED", "TIMER_FIRED", "TIMER_FIRED", "TIMER_FIRED", "WORKFLOW_TASK_SCHEDULED"));
  EXPECT_EQ(events_.at(events_.size() - 6).workflow_task_failed_event_attributes().cause(),
            enums::WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND);
  EXPECT_TRUE(absl::IsNotFound(complete(token, {}).status)) << "the worker comes too late";
}

TEST_F(SizesTest, AsManyAsTheLimitAllowsMayWait) {
  limits_.buffered_events = 3;
  begin(request());
  complete(take_task(), {start_timer("1", absl::Seconds(1)), start_timer("2", absl::Seconds(1)), start_timer("3", absl::Seconds(1))});
  apply_input(signal("wake"));
  const auto token = take_task();
  now_ += absl::Seconds(1);
  apply_input(Tick{});
  EXPECT_EQ(run_.buffered_events_size(), 3);
  EXPECT_TRUE(complete(token, {}).status.ok());
}

TEST_F(SizesTest, BytesThatWaitCountToo) {
  limits_.buffered_bytes = 500;
  begin(request());
  complete(take_task(), {schedule_activity("1")});
  apply_input(signal("wake"));
  const auto activity = take_activity(5);
  take_task();
  common::Payloads result;
  result.add_payloads()->set_data(std::string(600, 'x'));
  apply_input(CompleteActivity{activity, result, "worker"});
  EXPECT_EQ(run_.buffered_events_size(), 0);
  EXPECT_EQ(run_.workflow_task().attempt(), 1);
}

}  // namespace
}  // namespace skald::core
