#include "tests/unit/core/run_fixture.h"

namespace skald::core {
namespace {

class ChildTest : public RunTest {
 protected:
  // A parent that has asked for a child; answers with the message that starts it.
  state::OutboxMessage initiate(enums::ParentClosePolicy policy = enums::PARENT_CLOSE_POLICY_UNSPECIFIED) {
    begin(request());
    temporal::api::command::v1::Command command;
    command.set_command_type(enums::COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION);
    auto* attributes = command.mutable_start_child_workflow_execution_command_attributes();
    attributes->set_workflow_id("shipment-1");
    attributes->mutable_workflow_type()->set_name("shipment");
    attributes->set_parent_close_policy(policy);
    const Transition initiated = complete(take_task(), {command});
    EXPECT_EQ(initiated.effects.outbox.size(), 1u);
    return initiated.effects.outbox.at(0);
  }

  state::OutboxMessage child_closed() {
    state::OutboxMessage message;
    message.mutable_source()->set_run_id("child-run");
    auto* closed = message.mutable_child_closed();
    closed->set_initiated_event_id(5);
    closed->set_first_run_id("child-run");
    closed->mutable_close_event()->set_event_type(enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED);
    return message;
  }
};

TEST_F(ChildTest, TheChildsFirstTaskFollowsTheParentsRecordOfItsStart) {
  const auto message = initiate();
  const Transition answered = apply_input(MessageAnswered{message, absl::OkStatus(), "child-run"});
  ASSERT_EQ(answered.effects.outbox.size(), 1u);
  EXPECT_TRUE(answered.effects.outbox[0].has_schedule_child_task());
  EXPECT_THAT(answered.effects.outbox_done, ElementsAre(message.id()));
  const auto& names = event_names();
  EXPECT_EQ(names.at(5), "CHILD_WORKFLOW_EXECUTION_STARTED");

  state::ParentInfo parent;
  parent.set_run_id(run_.run_id());
  const StartResult child = start({request(), std::nullopt, parent, std::nullopt}, nullptr, context());
  state::RunState child_state = child.created_run->state;
  EXPECT_FALSE(child_state.has_workflow_task());
  EXPECT_TRUE(apply(child_state, ReceiveMessage{answered.effects.outbox[0]}, context()).effects.dispatch_workflow_task);
  EXPECT_FALSE(apply(child_state, ReceiveMessage{answered.effects.outbox[0]}, context()).changed)
      << "a message counts once";
}

TEST_F(ChildTest, AnAnswerThatIsRepeatedDoesNothing) {
  const auto message = initiate();
  apply_input(MessageAnswered{message, absl::OkStatus(), "child-run"});
  EXPECT_FALSE(apply_input(MessageAnswered{message, absl::OkStatus(), "child-run"}).changed);
}

TEST_F(ChildTest, AnIdThatIsTakenFailsTheStartOfTheChild) {
  apply_input(MessageAnswered{initiate(), absl::AlreadyExistsError("taken"), ""});
  EXPECT_EQ(event_names().at(5), "START_CHILD_WORKFLOW_EXECUTION_FAILED");
  EXPECT_THAT(run_.children(), IsEmpty());
}

TEST_F(ChildTest, TheChildsCloseReachesTheParentOnceEvenBeforeItsStartIsKnown) {
  initiate();
  apply_input(ReceiveMessage{child_closed()});
  EXPECT_EQ(event_names().at(5), "CHILD_WORKFLOW_EXECUTION_STARTED");
  EXPECT_EQ(event_names().at(6), "CHILD_WORKFLOW_EXECUTION_COMPLETED");
  EXPECT_FALSE(apply_input(ReceiveMessage{child_closed()}).changed);
}

TEST_F(ChildTest, AParentThatClosesTerminatesItsChildrenByDefault) {
  apply_input(MessageAnswered{initiate(), absl::OkStatus(), "child-run"});
  const Transition closed = complete(take_task(), {complete_workflow()});
  ASSERT_EQ(closed.effects.outbox.size(), 1u);
  EXPECT_TRUE(closed.effects.outbox[0].has_terminate());
  EXPECT_EQ(closed.effects.outbox[0].target().run_id(), "child-run");
}

TEST_F(ChildTest, AnAbandonedChildIsLeftAloneAndARequestedCancellationIsSent) {
  apply_input(MessageAnswered{initiate(enums::PARENT_CLOSE_POLICY_ABANDON), absl::OkStatus(), "child-run"});
  EXPECT_THAT(apply_input(TerminateWorkflow{}).effects.outbox, IsEmpty());
  events_.clear();
  apply_input(MessageAnswered{initiate(enums::PARENT_CLOSE_POLICY_REQUEST_CANCEL), absl::OkStatus(), "child-run"});
  const Transition closed = apply_input(TerminateWorkflow{});
  ASSERT_EQ(closed.effects.outbox.size(), 1u);
  EXPECT_TRUE(closed.effects.outbox[0].has_cancel());
}

TEST_F(ChildTest, TheParentHearsOnlyTheFinalCloseOfTheChain) {
  state::ParentInfo parent;
  parent.set_run_id("parent-run");
  parent.set_initiated_event_id(5);
  auto child = request();
  child.mutable_retry_policy()->set_maximum_attempts(2);
  run_ = start({child, std::nullopt, parent, std::nullopt}, nullptr, context()).created_run->state;
  state::OutboxMessage go;
  go.mutable_schedule_child_task();
  apply(run_, ReceiveMessage{go}, context());
  temporal::api::command::v1::Command fail;
  fail.set_command_type(enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION);
  fail.mutable_fail_workflow_execution_command_attributes()->mutable_failure()->mutable_application_failure_info();
  const auto run_once = [&] {
    apply(run_, StartWorkflowTask{run_.workflow_task().scheduled_event_id(), 1, "orders", "worker", "poll"}, context());
    state::TaskToken token;
    token.set_scheduled_event_id(run_.workflow_task().scheduled_event_id());
    token.set_started_event_id(run_.workflow_task().started_event_id());
    token.set_attempt(1);
    CompleteWorkflowTask input{token, {}};
    *input.request.add_commands() = fail;
    return apply(run_, input, context());
  };
  Transition first = run_once();
  EXPECT_THAT(first.effects.outbox, IsEmpty());
  ASSERT_TRUE(first.successor.has_value());
  run_ = first.successor->state;
  now_ += absl::Seconds(1);
  apply(run_, Tick{}, context());
  const Transition last = run_once();
  ASSERT_EQ(last.effects.outbox.size(), 1u);
  EXPECT_EQ(last.effects.outbox[0].child_closed().initiated_event_id(), 5);
}

}  // namespace
}  // namespace skald::core
