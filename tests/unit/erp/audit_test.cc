#include <gmock/gmock.h>

#include "tests/unit/erp/erp_fixture.h"

namespace skald::plugins {
namespace {

using AuditTest = ErpTest;

TEST_F(AuditTest, EmptyBooksAgree) {
  const json found = audit();
  EXPECT_EQ(found["balanced"], true);
  EXPECT_EQ(found["orders"]["ours"], 0);
  EXPECT_EQ(found["open_conflicts"], 0);
}

TEST_F(AuditTest, ReadsBothBooksToTheEnd) {
  for (int i = 0; i < 450; ++i) run(task("push_order", order("o" + std::to_string(i))));
  const json found = audit();
  EXPECT_EQ(found["balanced"], true) << found;
  EXPECT_EQ(found["orders"]["ours"], 450);
  EXPECT_EQ(found["orders"]["agreed"], 450);
}

TEST_F(AuditTest, NamesWhatSomebodyChangedUntilItIsPulled) {
  run(task("push_order", order("o1")));
  somebody("orders/default%2Fo1", {{"state", "on_hold"}});
  EXPECT_EQ(audit()["orders"]["different"], (json{{"count", 1}, {"some", {"o1"}}}));
  EXPECT_EQ(audit()["balanced"], false);
  run(task("pull", {{"what", "orders"}}));
  EXPECT_EQ(audit()["balanced"], true) << audit();
}

TEST_F(AuditTest, NamesWhatTheErpHasAndWeDoNot) {
  httplib::Client client(erp_.url());
  client.set_default_headers({{"Authorization", "Bearer sandbox-key"}});
  json foreign = {{"reference", "default/ghost"},
                  {"lines", {{{"sku", "tea"}, {"quantity", 1}}}},
                  {"total", 1},
                  {"currency", "GBP"},
                  {"country", "GB"}};
  ASSERT_EQ(client.Post("/v1/orders", foreign.dump(), "application/json")->status, 201);
  foreign["reference"] = "phone order 5";
  ASSERT_EQ(client.Post("/v1/orders", foreign.dump(), "application/json")->status, 201);
  const json found = audit();
  EXPECT_EQ(found["orders"]["unknown_to_us"], (json{{"count", 1}, {"some", {"default/ghost"}}}))
      << "what has no reference of ours is none of our business";
  EXPECT_EQ(found["balanced"], false);
}

TEST_F(AuditTest, WhatTheErpRefusedIsNoDifference) {
  somebody("items", json::array({{{"sku", "coffee"}, {"name", "Coffee"}}}));
  const Task push = task("push_order", order("o1"));
  EXPECT_EQ(error(push), "ErpRefused");
  EXPECT_EQ(error(task("push_outcome", outcome_of("o1", "cancelled"))), "ErpRefused");
  EXPECT_EQ(audit()["balanced"], true) << audit();
  somebody("items", json::array({{{"sku", "tea"}, {"name", "Tea"}}}));
  EXPECT_EQ(result(push)["version"], 1) << "a workflow that was reset asks again";
  EXPECT_EQ(result(task("push_outcome", outcome_of("o1", "cancelled")))["outcome"], "cancelled");
  EXPECT_EQ(audit()["orders"]["agreed"], 1);
}

TEST_F(AuditTest, SpeaksOfTheCallersNamespaceOnly) {
  Task other = task("push_order", order("o1"));
  other.ns = "b";
  run(other);
  EXPECT_EQ(audit()["orders"]["ours"], 0);
  EXPECT_EQ(audit()["balanced"], true);
}

}  // namespace
}  // namespace skald::plugins
