// Commands that cannot be carried out: each fails the workflow task with its cause and a sentence, and nothing else
// happens.
#include "temporal/api/enums/v1/common.pb.h"
#include "temporal/api/enums/v1/workflow.pb.h"

#include "tests/unit/core/run_fixture.h"

namespace skald::core {
namespace {

using temporal::api::command::v1::Command;

class BadCommandTest : public RunTest {
 protected:
  BadCommandTest() {
    ns_.search_attributes = {{"Amount", enums::INDEXED_VALUE_TYPE_INT}, {"City", enums::INDEXED_VALUE_TYPE_KEYWORD}};
    is_of_type_ = [](const common::Payload& value, int type) {
      return (value.data().front() == '"') == (type == enums::INDEXED_VALUE_TYPE_KEYWORD);
    };
  }

  static Command command(enums::CommandType type) {
    Command command;
    command.set_command_type(type);
    return command;
  }

  static Command upsert(const std::string& name, const std::string& data) {
    Command upsert = command(enums::COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES);
    auto* attributes = upsert.mutable_upsert_workflow_search_attributes_command_attributes();
    (*attributes->mutable_search_attributes()->mutable_indexed_fields())[name].set_data(data);
    return upsert;
  }

  static Command start_child() {
    Command start = command(enums::COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION);
    start.mutable_start_child_workflow_execution_command_attributes()->set_workflow_id("child");
    start.mutable_start_child_workflow_execution_command_attributes()->mutable_workflow_type()->set_name("pay");
    return start;
  }

  // A worker answers the first task with the command; its failure is written down.
  void expect_refused(const Command& bad, enums::WorkflowTaskFailedCause cause, const std::string& text) {
    begin(request());
    const Transition transition = complete(take_task(), {bad});
    EXPECT_TRUE(absl::IsInvalidArgument(transition.status)) << transition.status;
    EXPECT_THAT(transition.status.message(), HasSubstr(text));
    EXPECT_THAT(event_names(), ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED",
                                           "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_FAILED"));
    const auto& failed = events_.back().workflow_task_failed_event_attributes();
    EXPECT_EQ(failed.cause(), cause);
    EXPECT_THAT(failed.failure().message(), HasSubstr(text));
    EXPECT_EQ(run_.workflow_task().attempt(), 2);
  }
};

TEST_F(BadCommandTest, OfATypeThatIsNotKnown) {
  expect_refused(command(static_cast<enums::CommandType>(99)), enums::WORKFLOW_TASK_FAILED_CAUSE_FEATURE_DISABLED,
                 "FeatureDisabled: this server does not know commands of type 99");
}

TEST_F(BadCommandTest, OfATypeThatIsNotImplemented) {
  expect_refused(command(enums::COMMAND_TYPE_PROTOCOL_MESSAGE), enums::WORKFLOW_TASK_FAILED_CAUSE_FEATURE_DISABLED,
                 "COMMAND_TYPE_PROTOCOL_MESSAGE is not implemented");
}

TEST_F(BadCommandTest, WithoutAType) {
  expect_refused(Command(), enums::WORKFLOW_TASK_FAILED_CAUSE_FEATURE_DISABLED, "a command has no type");
}

TEST_F(BadCommandTest, UpsertOfAValueOfAnotherType) {
  expect_refused(upsert("Amount", "\"twelve\""), enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES,
                 "BadSearchAttributes: invalid value for search attribute Amount");
  EXPECT_TRUE(run_.search_attributes().indexed_fields().empty());
}

TEST_F(BadCommandTest, UpsertOfAnAttributeThatIsNotDefined) {
  expect_refused(upsert("Country", "\"CH\""), enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES,
                 "search attribute Country is not defined");
}

TEST_F(BadCommandTest, AnUpsertThatTakesAnAttributeAwayNeedsNoType) {
  begin(request());
  EXPECT_TRUE(complete(take_task(), {upsert("Amount", "12")}).status.ok());
  apply_input(signal("1"));
  EXPECT_TRUE(complete(take_task(), {upsert("Amount", "")}).status.ok());
  EXPECT_TRUE(run_.search_attributes().indexed_fields().empty());
}

TEST_F(BadCommandTest, ChildWithAnAttributeThatIsNotDefined) {
  Command start = start_child();
  auto* attributes = start.mutable_start_child_workflow_execution_command_attributes()->mutable_search_attributes();
  (*attributes->mutable_indexed_fields())["Country"].set_data("\"CH\"");
  expect_refused(start, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES,
                 "search attribute Country is not defined");
}

TEST_F(BadCommandTest, NextRunWithAValueOfAnotherType) {
  Command next = command(enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
  auto* attributes = next.mutable_continue_as_new_workflow_execution_command_attributes()->mutable_search_attributes();
  (*attributes->mutable_indexed_fields())["City"].set_data("12");
  expect_refused(next, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES,
                 "invalid value for search attribute City");
}

TEST_F(BadCommandTest, ChildWithPoliciesThatAreNone) {
  Command start = start_child();
  start.mutable_start_child_workflow_execution_command_attributes()->set_parent_close_policy(
      static_cast<enums::ParentClosePolicy>(77));
  expect_refused(start, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES, "ParentClosePolicy");
}

TEST_F(BadCommandTest, ActivityOnAReservedTaskQueue) {
  Command schedule = schedule_activity("1");
  schedule.mutable_schedule_activity_task_command_attributes()->mutable_task_queue()->set_name("/_sys/orders");
  expect_refused(schedule, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES, "/_sys/");
}

TEST_F(BadCommandTest, ChildOnAReservedTaskQueue) {
  Command start = start_child();
  start.mutable_start_child_workflow_execution_command_attributes()->mutable_task_queue()->set_name("/_sys/orders");
  expect_refused(start, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES, "/_sys/");
}

TEST_F(BadCommandTest, NextRunOnAReservedTaskQueue) {
  Command next = command(enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
  next.mutable_continue_as_new_workflow_execution_command_attributes()->mutable_task_queue()->set_name("/_sys/orders");
  expect_refused(next, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES, "/_sys/");
}

}  // namespace
}  // namespace skald::core
