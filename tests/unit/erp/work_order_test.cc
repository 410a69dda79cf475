#include <gmock/gmock.h>

#include "tests/unit/erp/erp_fixture.h"

namespace skald::plugins {
namespace {

class WorkOrderTest : public ErpTest {
 protected:
  static json repair(const std::string& reference = "r1", const json& more = json::object()) {
    json input = {
        {"reference", reference}, {"asset", "press 3"}, {"kind", "repair"}, {"description", "the bearing is hot"}};
    input.update(more);
    return input;
  }
  static json about(const json& more = json::object(), const std::string& reference = "r1") {
    json input = {{"reference", reference}};
    input.update(more);
    return input;
  }
};

TEST_F(WorkOrderTest, IsCreatedAssignedAndCompleted) {
  const json created =
      result(task("create_work_order", repair("r1", {{"parts", {{{"sku", "b-7"}, {"quantity", 2}}}}})));
  EXPECT_EQ(created["state"], "created");
  const json assigned = result(task("assign_work_order", about({{"skill", "inspection"}})));
  EXPECT_EQ(assigned["work_order"], created["work_order"]);
  EXPECT_EQ(assigned["state"], "assigned");
  EXPECT_EQ(assigned["technician"]["name"], "Lise");
  const json completed = result(task("complete_work_order", about({{"by", "Lise"}, {"notes", "greased"}})));
  EXPECT_EQ(completed["state"], "completed");
  EXPECT_EQ(completed["version"], 3);
  const json there = records("work_orders").at(0);
  EXPECT_EQ(there["completed_by"], "Lise");
  EXPECT_EQ(there["parts"][0]["sku"], "b-7");
  EXPECT_EQ(calls("GET /v1/work-orders/{id}"), 0) << "the versions are known";
}

TEST_F(WorkOrderTest, EachStepHappensOnce) {
  const Task steps[] = {task("create_work_order", repair()), task("assign_work_order", about({{"skill", "mechanics"}})),
                        task("complete_work_order", about({{"by", "Ada"}}))};
  for (const Task& step : steps) EXPECT_EQ(result(step), result(step)) << step.type;
  EXPECT_EQ(records("work_orders").size(), 1);
  EXPECT_EQ(records("work_orders")[0]["version"], 3);
}

TEST_F(WorkOrderTest, AnotherUnderTheSameReferenceIsRefused) {
  run(task("create_work_order", repair()));
  EXPECT_EQ(error(task("create_work_order", repair("r1", {{"asset", "press 4"}}))), "IdempotencyConflict");
}

TEST_F(WorkOrderTest, WorkIsSharedAmongThoseWhoHaveTheSkill) {
  std::set<std::string> names;
  for (const char* reference : {"a", "b", "c"}) {
    run(task("create_work_order", repair(reference)));
    names.insert(result(task("assign_work_order", about({{"skill", "mechanics"}}, reference)))["technician"]["name"]);
  }
  EXPECT_THAT(names, testing::ElementsAre("Ada", "Konrad", "Lise"));
}

TEST_F(WorkOrderTest, SkillThatNobodyHasIsForGood) {
  run(task("create_work_order", repair()));
  const Failure refused = failure(task("assign_work_order", about({{"skill", "alchemy"}})));
  EXPECT_EQ(refused.application_failure_info().type(), "ErpRefused");
  EXPECT_TRUE(refused.application_failure_info().non_retryable());
  EXPECT_THAT(refused.message(), testing::HasSubstr("alchemy"));
}

TEST_F(WorkOrderTest, IsAssignedOnTopOfWhatSomebodyChanged) {
  run(task("create_work_order", repair()));
  somebody("work-orders/default%2Fw1%2Fr1", {{"note", "mind the dog"}});
  EXPECT_EQ(result(task("assign_work_order", about()))["version"], 3);
  EXPECT_EQ(records("work_orders")[0]["note"], "mind the dog");
}

TEST_F(WorkOrderTest, StepsOfOneThatWasCancelledThereAreRefusedForGood) {
  run(task("create_work_order", repair()));
  somebody("work-orders/default%2Fw1%2Fr1", {{"state", "cancelled"}});
  const Outcome assigned = run(task("assign_work_order", about()));
  EXPECT_EQ(error(assigned), "WorkOrderCancelled");
  EXPECT_FALSE(is_retryable(assigned));
}

TEST_F(WorkOrderTest, AnotherWorkflowGoesOnWithIt) {
  run(task("create_work_order", repair()));
  EXPECT_EQ(result(task("assign_work_order", about(), "dispatcher"))["state"], "assigned");
  EXPECT_EQ(error(task("assign_work_order", about(json::object(), "r2"), "dispatcher")), "WorkOrderNotFound");
  run(task("create_work_order", repair(), "w2"));
  EXPECT_EQ(error(task("complete_work_order", about({{"by", "Ada"}}), "dispatcher")), "Ambiguous");
  EXPECT_EQ(result(task("complete_work_order", about({{"by", "Ada"}})))["state"], "completed");
}

TEST_F(WorkOrderTest, AssigningWaitsUntilSomebodyIsFree) {
  somebody("technicians", {{"name", "Niels"}, {"skills", {"diving"}}});
  for (int i = 0; i < 50; ++i) {
    run(task("create_work_order", repair(std::to_string(i))));
    EXPECT_EQ(error(task("assign_work_order", about({{"skill", "diving"}}, std::to_string(i)))), "");
  }
  run(task("create_work_order", repair()));
  const Task assign = task("assign_work_order", about({{"skill", "diving"}}));
  const Outcome refused = run(assign);
  EXPECT_EQ(error(refused), "NobodyFree");
  EXPECT_TRUE(is_retryable(refused));
  EXPECT_EQ(failure(refused).application_failure_info().next_retry_delay().seconds(), 5);
  run(task("complete_work_order", about({{"by", "Niels"}}, "7")));
  EXPECT_EQ(result(assign)["technician"]["name"], "Niels");
}

}  // namespace
}  // namespace skald::plugins
