#include "tests/unit/upkeep/sample_store.h"

namespace skald::upkeep {
namespace {

class CheckCurrent : public SampleStore {
 protected:
  void expect(const std::string& sentence) {
    EXPECT_THAT(sentences(Table::kCurrentRuns), testing::ElementsAre(HasSubstr(sentence)));
  }
};

TEST_F(CheckCurrent, AnOpenRunIsTheCurrentOneOfItsWorkflow) {
  sql("DELETE FROM current_runs WHERE workflow_id = 'order-1'");
  expect("namespace default, workflow order-1: run " + open_.run_id() + " is open, and current_runs has no row");
}

TEST_F(CheckCurrent, AWorkflowOfClosedRunsNeedsNone) {
  sql("DELETE FROM current_runs WHERE workflow_id = 'order-2'");
  EXPECT_EQ(check().violations(), 0u);
}

TEST_F(CheckCurrent, PointsAtARunThatExists) {
  sql("UPDATE current_runs SET run_id = 'ghost' WHERE workflow_id = 'order-2'");
  expect("current_runs points at run ghost, which there is not");
}

TEST_F(CheckCurrent, PointsAtAWorkflowThatExists) {
  for (const std::string id : {"a-ghost", "order-1-ghost", "z-ghost"}) {
    sql("INSERT INTO current_runs VALUES ('ns-id', '" + id + "', 'run', 1, '')");
  }
  EXPECT_THAT(sentences(Table::kCurrentRuns),
              testing::ElementsAre(HasSubstr("workflow a-ghost: current_runs points at run run, and there is no run"),
                                   HasSubstr("workflow order-1-ghost: current_runs"),
                                   HasSubstr("workflow z-ghost: current_runs")));
  EXPECT_EQ(check().of(Table::kCurrentRuns).rows, 5u);
}

TEST_F(CheckCurrent, HasItsRunsStatus) {
  sql("UPDATE current_runs SET status = 1 WHERE workflow_id = 'order-2'");
  expect("current_runs.status is 1, its run " + closed_.run_id() + " is Completed; set it to 2");
}

TEST_F(CheckCurrent, HasTheRequestThatStartedItsRun) {
  sql("UPDATE current_runs SET start_request_id = 'other' WHERE workflow_id = 'order-2'");
  expect("current_runs.start_request_id is 'other', its run " + closed_.run_id() + " was started by 'start-1'");
}

TEST_F(CheckCurrent, OneRunOfAWorkflowIsOpen) {
  sql("INSERT INTO runs SELECT namespace_id, workflow_id, 'another', slot, status, wake_time, has_work, state FROM "
      "runs "
      "WHERE workflow_id = 'order-1'");
  EXPECT_THAT(sentences(Table::kCurrentRuns), testing::ElementsAre(HasSubstr("are all open; terminate all but one")));
}

}  // namespace
}  // namespace skald::upkeep
