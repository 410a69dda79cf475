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

}  // namespace
}  // namespace skald::upkeep
