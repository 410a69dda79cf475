#include <gmock/gmock.h>

#include "tests/unit/erp/erp_fixture.h"

namespace skald::plugins {
namespace {

using OrderTest = ErpTest;

TEST_F(OrderTest, OrderAndItsOutcomeAreWritten) {
  const json pushed = result(task("push_order", order("o1", {{"customer", "Ann"}})));
  EXPECT_EQ(pushed["version"], 1);
  const json ended = result(task("push_outcome", {{"order_id", "o1"},
                                                  {"outcome", "cancelled"},
                                                  {"reason", "changed her mind"},
                                                  {"compensations", {"refund", "release"}}}));
  EXPECT_EQ(ended, (json{{"erp_id", pushed["erp_id"]}, {"version", 2}, {"outcome", "cancelled"}, {"winner", "ours"}}));
  const json there = records("orders").at(0);
  EXPECT_EQ(there["id"], pushed["erp_id"]);
  EXPECT_EQ(there["reference"], "default/o1");
  EXPECT_EQ(there["customer"], "Ann");
  EXPECT_EQ(there["lines"], order("o1")["items"]);
  EXPECT_EQ(there["state"], "cancelled");
  EXPECT_EQ(there["compensations"], (json{"refund", "release"}));
  EXPECT_EQ(result(task("order", {{"order_id", "o1"}}))["state"], "cancelled") << "and we know it";
}

TEST_F(OrderTest, WrittenOnceHoweverOftenItIsAskedFor) {
  const Task push = task("push_order", order("o1"));
  EXPECT_EQ(result(push), result(push));
  EXPECT_EQ(result(task("push_order", order("o1"))), result(push)) << "another activity of the workflow";
  EXPECT_EQ(result(task("push_order", order("o1"), "another")), result(push)) << "another workflow";
  const Task end = task("push_outcome", outcome_of("o1", "confirmed"));
  EXPECT_EQ(result(end), result(end));
  EXPECT_EQ(records("orders").size(), 1);
  EXPECT_EQ(records("orders")[0]["version"], 2);
  EXPECT_EQ(calls("PUT /v1/orders/{id}/outcome"), 1);
}

TEST_F(OrderTest, AnotherOrderUnderTheSameIdIsRefused) {
  run(task("push_order", order("o1")));
  EXPECT_EQ(error(task("push_order", order("o1", {{"total", 9}}))), "IdempotencyConflict");
  const Outcome other = run(task("push_order", order("o1", {{"total", 9}}), "another"));
  EXPECT_EQ(error(other), "DuplicateReference");
  EXPECT_FALSE(is_retryable(other));
}

TEST_F(OrderTest, NamespacesDoNotMeet) {
  Task mine = task("push_order", order("o1"));
  Task theirs = mine;
  theirs.ns = "b";
  EXPECT_NE(result(mine)["erp_id"], result(theirs)["erp_id"]);
  EXPECT_EQ(records("orders").size(), 2);
}

TEST_F(OrderTest, WhatTheErpRefusesIsForGoodAndNamesTheFields) {
  somebody("items", json::array({{{"sku", "tea"}, {"name", "Tea"}}}));
  const Failure refused = failure(task("push_order", order("o1", {{"items", {{{"sku", "tee"}, {"quantity", 1}}}}})));
  EXPECT_EQ(refused.application_failure_info().type(), "ErpRefused");
  EXPECT_TRUE(refused.application_failure_info().non_retryable());
  EXPECT_THAT(refused.message(), testing::HasSubstr("lines[0].sku is not an item: tee"));
  const json details = json::parse(refused.application_failure_info().details().payloads(0).data());
  EXPECT_EQ(details["fields"]["lines[0].sku"], "is not an item: tee");
  EXPECT_EQ(details["status"], 422);
}

TEST_F(OrderTest, WhatMakesNoSenseIsRefusedBeforeTheErpIsAsked) {
  for (const auto& [field, value] : {std::pair<const char*, json>{"order_id", ""},
                                     {"items", json::array()},
                                     {"items", {{{"sku", "tea"}, {"quantity", 0}}}},
                                     {"total", -1},
                                     {"currency", nullptr}}) {
    EXPECT_EQ(error(task("push_order", order("o1", {{field, value}}))), "InvalidInput") << field;
  }
  EXPECT_EQ(error(task("push_outcome", outcome_of("o1", "lost"))), "InvalidInput");
  EXPECT_EQ(error(task("push_outcome", outcome_of("o1", "confirmed"))), "OrderNotPushed");
  EXPECT_EQ(error(task("order", {{"order_id", "o1"}})), "OrderNotFound");
  EXPECT_EQ(erp_.books()["calls"], json::object());
}

TEST_F(OrderTest, ReturnedFollowsOnConfirmed) {
  run(task("push_order", order("o1")));
  run(task("push_outcome", outcome_of("o1", "confirmed")));
  EXPECT_EQ(result(task("push_outcome", outcome_of("o1", "returned"), "return-o1"))["outcome"], "returned");
  EXPECT_EQ(records("orders")[0]["state"], "returned");
}

TEST_F(OrderTest, OutcomeIsWrittenOnTopOfWhatSomebodyElseNoted) {
  run(task("push_order", order("o1")));
  somebody("orders/default%2Fo1", {{"note", "call before delivery"}});
  const json ended = result(task("push_outcome", outcome_of("o1", "confirmed")));
  EXPECT_EQ(ended["winner"], "ours");
  EXPECT_EQ(ended["version"], 3);
  EXPECT_EQ(records("orders")[0]["note"], "call before delivery");
}

TEST_F(OrderTest, WrongKeyIsTroubleAndIsTriedAgainLater) {
  setenv("SKALD_ERP_TEST_KEY", "guessed-key", 1);
  load();
  const Failure refused = failure(task("push_order", order("o1")));
  EXPECT_EQ(refused.application_failure_info().type(), "ErpUnauthorized");
  EXPECT_FALSE(refused.application_failure_info().non_retryable()) << "an order is not rejected for it";
  EXPECT_EQ(refused.application_failure_info().next_retry_delay().seconds(), 30);
  EXPECT_THAT(refused.message(), testing::Not(testing::HasSubstr("guessed-key")));
}

TEST_F(OrderTest, BusyErpSaysWhenToComeAgain) {
  erp_.set_faults({{"POST /v1/orders", {{"fault", "busy"}, {"times", 1}, {"retry_after", 7}}}});
  const Task push = task("push_order", order("o1"));
  const Failure busy = failure(push);
  EXPECT_FALSE(busy.application_failure_info().non_retryable());
  EXPECT_EQ(busy.application_failure_info().next_retry_delay().seconds(), 7) << busy.message();
  EXPECT_EQ(insisted(push)["version"], 1);
}

}  // namespace
}  // namespace skald::plugins
