#include "tests/unit/upkeep/sample_store.h"

namespace skald::upkeep {
namespace {

class CheckVisibility : public SampleStore {
 protected:
  void expect(const std::string& sentence) {
    EXPECT_THAT(sentences(Table::kVisibility), Contains(HasSubstr(sentence)));
  }
};

TEST_F(CheckVisibility, ARunHasARow) {
  sql("DELETE FROM visibility WHERE workflow_id = 'order-1'");
  expect("workflow order-1, run " + open_.run_id() + ": it has no row in visibility");
}

TEST_F(CheckVisibility, ARowBelongsToARun) {
  sql("UPDATE visibility SET run_id = 'ghost' WHERE workflow_id = 'order-1'");
  expect("workflow order-1, run ghost: list and count show it, and there is no such run");
}

TEST_F(CheckVisibility, EveryColumnIsWhatTheStateSays) {
  const std::pair<const char*, const char*> changes[] = {{"workflow_id", "'other'"},
                                                         {"workflow_type", "'other'"},
                                                         {"task_queue", "'other'"},
                                                         {"status", "3"},
                                                         {"start_time", "5"},
                                                         {"execution_time", "5"},
                                                         {"close_time", "5"},
                                                         {"history_length", "9"},
                                                         {"history_size_bytes", "9"},
                                                         {"state_transition_count", "9"},
                                                         {"parent_workflow_id", "'other'"},
                                                         {"parent_run_id", "'other'"},
                                                         {"root_workflow_id", "'other'"},
                                                         {"root_run_id", "'other'"},
                                                         {"memo", "X'00'"},
                                                         {"search_attributes", "X'00'"}};
  for (const auto& [column, value] : changes) {
    sql(absl::StrCat("CREATE TABLE kept AS SELECT * FROM visibility; UPDATE visibility SET ", column, " = ", value,
                     " WHERE workflow_id = 'order-2'"));
    EXPECT_THAT(sentences(Table::kVisibility), Contains(HasSubstr(absl::StrCat("visibility.", column, " is "))))
        << column;
    sql("DELETE FROM visibility; INSERT INTO visibility SELECT * FROM kept; DROP TABLE kept");
    EXPECT_EQ(check().violations(), 0u) << column;
  }
}

TEST_F(CheckVisibility, CountsOfAnOpenRunMayLag) {
  sql("UPDATE visibility SET history_length = 2, history_size_bytes = 10, state_transition_count = 1 WHERE workflow_id "
      "= "
      "'order-1'");
  EXPECT_EQ(check().violations(), 0u);
  sql("UPDATE visibility SET history_length = 200 WHERE workflow_id = 'order-1'");
  expect("visibility.history_length is 200");
}

TEST_F(CheckVisibility, CountsOfAClosedRunDoNotLag) {
  sql("UPDATE visibility SET history_length = 2 WHERE workflow_id = 'order-2'");
  expect("visibility.history_length is 2, its state says 5");
}

TEST_F(CheckVisibility, ASearchAttributesValueIsTheStates) {
  sql("UPDATE search_attributes SET number = 41");
  expect("visibility.search attribute Amount is a value, its state says another, or none");
}

TEST_F(CheckVisibility, ASearchAttributeCanBeLookedUp) {
  sql("DELETE FROM search_attributes");
  expect("visibility.search attribute Amount is missing in search_attributes");
}

TEST_F(CheckVisibility, ASearchAttributeIsOneOfTheState) {
  sql("UPDATE search_attributes SET name = 'Colour'");
  expect("visibility.search attribute Colour is a value, its state says another, or none");
}

TEST_F(CheckVisibility, ASearchAttributeMayHaveHadAnotherType) {
  sql("UPDATE search_attributes SET number = NULL, real = 42.0");
  EXPECT_EQ(check().violations(), 0u);
}

}  // namespace
}  // namespace skald::upkeep
