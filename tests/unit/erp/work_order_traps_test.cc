#include <gmock/gmock.h>

#include "tests/unit/erp/erp_fixture.h"

// A work order's creation and its cancellation, met in every order.
namespace skald::plugins {
namespace {

class WorkOrderTrapsTest : public ErpTest {
 protected:
  const Task create_ = task("create_work_order",
                            {{"reference", "r1"}, {"asset", "press 3"}, {"kind", "repair"}, {"description", "noise"}});
  const Task cancel_ = task("cancel_work_order", {{"reference", "r1"}, {"reason", "false alarm"}});

  void fault(const std::string& route, const std::string& kind, int times = 1) {
    erp_.set_faults({{route, {{"fault", kind}, {"times", times}}}});
  }
  // Nothing is left open, here or there.
  void expect_nothing_open() {
    for (const json& order : records("work_orders")) EXPECT_EQ(order["state"], "cancelled");
    EXPECT_LE(records("work_orders").size(), 1);
    EXPECT_EQ(audit()["balanced"], true) << audit();
  }
  void expect_refused(const Outcome& created) {
    EXPECT_EQ(error(created), "AlreadyCompensated");
    EXPECT_FALSE(is_retryable(created));
  }
};

TEST_F(WorkOrderTrapsTest, CancelledAfterItWasCreated) {
  const json created = result(create_);
  EXPECT_EQ(result(cancel_), (json{{"undone", true}, {"work_order", created["work_order"]}, {"state", "cancelled"}}));
  EXPECT_EQ(records("work_orders")[0]["reason"], "false alarm");
  expect_nothing_open();
}

TEST_F(WorkOrderTrapsTest, CancelledBeforeItWasCreated) {
  EXPECT_EQ(result(cancel_), (json{{"undone", false}}));
  expect_refused(run(create_));
  EXPECT_EQ(erp_.books()["calls"], json::object()) << "the ERP never hears of it";
  expect_nothing_open();
}

TEST_F(WorkOrderTrapsTest, LateAttemptAfterTheCancellationIsRefused) {
  run(create_);
  run(cancel_);
  expect_refused(run(create_));
  expect_nothing_open();
}

TEST_F(WorkOrderTrapsTest, CancelledTwiceIsCancelledOnce) {
  run(create_);
  const json cancelled = result(cancel_);
  EXPECT_EQ(result(cancel_), cancelled);
  EXPECT_EQ(records("work_orders")[0]["version"], 2);
}

TEST_F(WorkOrderTrapsTest, CreationThatNobodyHeardOfIsCancelled) {
  fault("POST /v1/work-orders", "lose_answer");
  EXPECT_EQ(error(create_), "HttpConnectionLost");
  EXPECT_EQ(result(cancel_)["undone"], true);
  EXPECT_EQ(records("work_orders").size(), 1);
  expect_refused(run(create_));
  expect_nothing_open();
}

TEST_F(WorkOrderTrapsTest, CreationThatNeverArrivedIsCancelledAllTheSame) {
  fault("POST /v1/work-orders", "drop");
  EXPECT_EQ(error(create_), "HttpConnectionLost");
  EXPECT_EQ(result(cancel_)["undone"], true) << "it might have been on its way";
  expect_refused(run(create_));
  expect_nothing_open();
}

TEST_F(WorkOrderTrapsTest, CreationIsOnItsWayWhileItIsCancelled) {
  fault("POST /v1/work-orders", "hold");
  auto created = start(create_);
  ASSERT_TRUE(erp_.wait_for_held());
  EXPECT_EQ(result(cancel_)["undone"], true);
  erp_.set_faults(json::object());  // now it arrives
  expect_refused(created.get());
  EXPECT_EQ(erp_.books()["replayed"], 1) << "as the one that was cancelled";
  expect_nothing_open();
}

TEST_F(WorkOrderTrapsTest, CancellationIsOnItsWayWhileALateAttemptCreates) {
  run(create_);
  fault("POST /v1/work-orders/{id}/cancel", "hold");
  auto cancelled = start(cancel_);
  ASSERT_TRUE(erp_.wait_for_held());
  expect_refused(run(create_));
  erp_.set_faults(json::object());
  EXPECT_EQ(result(cancelled.get())["undone"], true);
  expect_nothing_open();
}

TEST_F(WorkOrderTrapsTest, LostAnswerOfTheCancellationIsFound) {
  run(create_);
  fault("POST /v1/work-orders/{id}/cancel", "cut");
  EXPECT_EQ(error(cancel_), "HttpConnectionLost");
  expect_refused(run(create_));
  EXPECT_EQ(result(cancel_)["undone"], true);
  EXPECT_EQ(records("work_orders")[0]["version"], 2);
  expect_nothing_open();
}

TEST_F(WorkOrderTrapsTest, WhatTheErpRefusedToCreateNeedsNoCancellation) {
  somebody("items", json::array({{{"sku", "tea"}, {"name", "Tea"}}}));
  Task refused = create_;
  refused.input["parts"] = {{{"sku", "unheard-of"}, {"quantity", 1}}};
  EXPECT_EQ(error(refused), "ErpRefused");
  EXPECT_EQ(result(cancel_), (json{{"undone", false}}));
  EXPECT_EQ(result(cancel_), (json{{"undone", false}}));
  expect_nothing_open();
}

TEST_F(WorkOrderTrapsTest, WorkThatIsDoneStaysDone) {
  run(create_);
  run(task("assign_work_order", {{"reference", "r1"}}));
  run(task("complete_work_order", {{"reference", "r1"}, {"by", "Ada"}}));
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Outcome refused = run(cancel_);
    EXPECT_EQ(error(refused), "WorkOrderCompleted");
    EXPECT_FALSE(is_retryable(refused));
  }
  EXPECT_EQ(records("work_orders")[0]["state"], "completed");
  EXPECT_EQ(audit()["balanced"], true) << audit();
}

TEST_F(WorkOrderTrapsTest, AnOperatorsWorkflowCancelsAnothers) {
  run(create_);
  Task cancel = cancel_;
  cancel.workflow = "operator";
  cancel.input["workflow_id"] = "w1";
  EXPECT_EQ(result(cancel)["undone"], true);
  expect_refused(run(create_));
  expect_nothing_open();
}

TEST_F(WorkOrderTrapsTest, StepsAfterTheCancellationAreRefused) {
  run(create_);
  run(cancel_);
  EXPECT_EQ(error(task("assign_work_order", {{"reference", "r1"}})), "WorkOrderCancelled");
  EXPECT_EQ(error(task("complete_work_order", {{"reference", "r1"}, {"by", "Ada"}})), "WorkOrderCancelled");
  EXPECT_EQ(records("work_orders")[0]["state"], "cancelled");
}

}  // namespace
}  // namespace skald::plugins
