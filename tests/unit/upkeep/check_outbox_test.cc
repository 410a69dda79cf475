#include "tests/unit/upkeep/sample_store.h"

namespace skald::upkeep {
namespace {

class CheckOutbox : public SampleStore {
 protected:
  void expect(const std::string& sentence) { EXPECT_THAT(sentences(Table::kOutbox), Contains(HasSubstr(sentence))); }
  std::string of_message() const { return absl::StrCat(" WHERE id = '", message_.id(), "'"); }
};

TEST_F(CheckOutbox, AMessageWasSentByARunThatExists) {
  sql("UPDATE outbox SET run_id = 'ghost'" + of_message());
  expect("workflow order-1, run ghost: message " + message_.id() + ": the run that sent it does not exist");
}

TEST_F(CheckOutbox, AMessageIsInTheSlotOfItsSender) {
  sql("UPDATE outbox SET slot = slot - 1" + of_message());
  expect("the column slot is");
}

TEST_F(CheckOutbox, AMessageCanBeRead) {
  sql("UPDATE outbox SET message = X'ff'" + of_message());
  expect("it cannot be read, and is never delivered");
}

TEST_F(CheckOutbox, AMessageSaysItsId) {
  change_message([](OutboxMessage& message) { message.set_id("other"); });
  expect("it says of itself the id other");
}

TEST_F(CheckOutbox, AMessageSaysItsSender) {
  change_message([](OutboxMessage& message) { message.mutable_source()->set_run_id("other"); });
  expect("it says of itself that workflow order-1, run other sent it");
}

TEST_F(CheckOutbox, AMessageSaysSomething) {
  change_message([](OutboxMessage& message) { message.clear_content(); });
  expect("it says nothing");
}

TEST_F(CheckOutbox, AMessageIsForAWorkflow) {
  change_message([](OutboxMessage& message) { message.clear_target(); });
  expect("it is for no workflow");
}

TEST_F(CheckOutbox, AMessageIsForANamespaceThatExists) {
  change_message([](OutboxMessage& message) { message.set_target_namespace_id("ghost"); });
  expect("(id ghost), which there is not");
}

TEST_F(CheckOutbox, AMessageStaysUntilItIsAnswered) {
  sql("DELETE FROM outbox");
  expect("it waits for the answer to the message " + message_.id() +
         " (signal to stock-1), which is not in the outbox");
  expect("(start of the child shipment-1), which is not in the outbox");
}

class CheckWaitingChild : public CheckOutbox {
 protected:
  // order-2 becomes a child of order-1 that waits for its first task.
  CheckWaitingChild() {
    change_state("order-2", [this](RunState& state) {
      state.set_status(core::enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
      state.set_awaiting_first_task(true);
      state.mutable_parent()->set_namespace_id(open_.namespace_id());
      state.mutable_parent()->set_workflow_id(open_.workflow_id());
      state.mutable_parent()->set_run_id(open_.run_id());
      state.mutable_parent()->set_initiated_event_id(open_.children().begin()->first);
    });
  }
  void parent_knows() {
    change_state("order-1",
                 [this](RunState& state) { state.mutable_children()->begin()->second.set_run_id(closed_.run_id()); });
  }
};

TEST_F(CheckWaitingChild, MayWaitUntilItsParentHearsOfIt) { EXPECT_THAT(sentences(Table::kOutbox), IsEmpty()); }

TEST_F(CheckWaitingChild, WaitsForAMessageThatIsUnderWay) {
  parent_knows();
  expect("order-2, run " + closed_.run_id() + ": it waits for word of its parent, workflow order-1, run " +
         open_.run_id() + ", which is not under way");
  change_message([this](OutboxMessage& message) {
    message.mutable_schedule_child_task();
    message.mutable_target()->set_run_id(closed_.run_id());
  });
  EXPECT_THAT(sentences(Table::kOutbox), testing::Not(Contains(HasSubstr("it waits for word"))));
}

}  // namespace
}  // namespace skald::upkeep
