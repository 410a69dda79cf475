#include "tests/unit/upkeep/sample_store.h"

namespace skald::upkeep {
namespace {

using CheckColumns = SampleStore;

TEST_F(CheckColumns, AStoreAsTheEngineLeavesItIsClean) {
  const Report report = check();
  EXPECT_THAT(all_sentences(report), IsEmpty());
  EXPECT_EQ(report.violations(), 0u);
  EXPECT_EQ(report.of(Table::kNamespaces).rows, 1u);
  EXPECT_EQ(report.of(Table::kSettings).rows, 1u);
  EXPECT_EQ(report.of(Table::kRuns).rows, 2u);
  EXPECT_EQ(report.of(Table::kCurrentRuns).rows, 2u);
  EXPECT_EQ(report.of(Table::kHistory).rows, 4u);
  EXPECT_EQ(report.of(Table::kVisibility).rows, 2u);
  EXPECT_EQ(report.of(Table::kOutbox).rows, 2u);
}

TEST_F(CheckColumns, ARunsStatusIsItsStates) {
  sql("UPDATE runs SET status = 2 WHERE workflow_id = 'order-1'");
  EXPECT_THAT(sentences(Table::kRuns),
              Contains(HasSubstr("the column status is 2 (Completed) and its state says 1 (Running); set it to 1")));
}

TEST_F(CheckColumns, ASentenceNamesTheRowAndWhatToDo) {
  sql("UPDATE runs SET has_work = 0 WHERE workflow_id = 'order-1'");
  EXPECT_THAT(sentences(Table::kRuns),
              testing::ElementsAre(absl::StrCat("namespace default, workflow order-1, run ", open_.run_id(),
                                                ": the column has_work is 0 and its state says 1; set it to 1 while no "
                                                "server runs")));
}

TEST_F(CheckColumns, ARunWakesWhenItsStateIsDue) {
  sql("UPDATE runs SET wake_time = NULL WHERE workflow_id = 'order-1'");
  EXPECT_THAT(sentences(Table::kRuns),
              Contains(HasSubstr(absl::StrCat("the column wake_time is NULL and its state says ",
                                              absl::ToUnixNanos(core::next_wake(open_))))));
  sql("UPDATE runs SET wake_time = 7 WHERE workflow_id = 'order-1'");
  EXPECT_THAT(sentences(Table::kRuns), Contains(HasSubstr("the column wake_time is 7 and")));
}

TEST_F(CheckColumns, ARunIsInTheSlotOfItsKey) {
  sql("UPDATE runs SET slot = (slot + 1) % 4096 WHERE workflow_id = 'order-2'");
  EXPECT_THAT(sentences(Table::kRuns), Contains(HasSubstr("the column slot is")));
}

TEST_F(CheckColumns, ARunHasTheIdsOfItsKey) {
  sql("UPDATE runs SET workflow_id = 'order-3' WHERE workflow_id = 'order-2'");
  EXPECT_THAT(sentences(Table::kRuns), Contains(HasSubstr("its state is that of workflow order-2")));
}

TEST_F(CheckColumns, AStateThatCannotBeReadIsNamed) {
  sql("UPDATE runs SET state = X'ff' WHERE workflow_id = 'order-2'");
  EXPECT_THAT(sentences(Table::kRuns),
              Contains(HasSubstr("workflow order-2, run " + closed_.run_id() + ": its state cannot be read; restore")));
}

TEST_F(CheckColumns, ARunBelongsToANamespace) {
  sql("DELETE FROM namespaces");
  EXPECT_THAT(sentences(Table::kRuns), Contains(HasSubstr("namespace id ns-id, workflow order-1")));
  EXPECT_THAT(sentences(Table::kRuns), Contains(HasSubstr("there is no namespace of this id")));
}

TEST_F(CheckColumns, ANamespacesRecordCanBeRead) {
  sql("UPDATE namespaces SET record = X'ff'");
  EXPECT_THAT(sentences(Table::kNamespaces),
              Contains(HasSubstr("namespace default (id ns-id): its record cannot be read")));
}

TEST_F(CheckColumns, ANamespacesRecordSaysItsIdAndName) {
  sql("UPDATE namespaces SET id = 'other', name = 'another'");
  EXPECT_THAT(sentences(Table::kNamespaces), Contains(HasSubstr("its record says the id ns-id")));
  EXPECT_THAT(sentences(Table::kNamespaces), Contains(HasSubstr("its record says the name default")));
}

TEST_F(CheckColumns, AnInterruptedCopyIsNamed) {
  sql("INSERT INTO settings (name, value) VALUES ('copy', 'incomplete, begun 2026-11-21T10:00:00Z')");
  EXPECT_THAT(sentences(Table::kSettings), Contains(HasSubstr("the store is a copy that was interrupted")));
}

TEST_F(CheckColumns, AllViolationsAreCountedTheFirstAreTold) {
  sql("UPDATE runs SET status = 3, has_work = 1 - has_work, slot = slot - 1");
  auto opened = store::open_sqlite({.path = file_.path()});
  ASSERT_TRUE(opened.ok()) << opened.status();
  auto contents = (*opened)->contents({});
  const auto report = upkeep::check(**contents, {.sentences_per_table = 2});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->of(Table::kRuns).violations, 6u);
  EXPECT_EQ(report->of(Table::kRuns).sentences.size(), 2u);
}

}  // namespace
}  // namespace skald::upkeep
