#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/lua/delivered_workflows.h"
#include "tests/unit/lua/history_driver.h"

// The ERP's workflows as they are delivered, against an ERP whose answers the tests give.
namespace skald::lua::testing {
namespace {

using nlohmann::json;

class ErpSyncTest : public ::testing::Test {
 protected:
  ErpSyncTest() : driver_(delivered_workflow("erp_sync"), {}, delivered_modules()) {
    driver_.on_activity("erp.pull", [this](const auto& arguments) {
      const json input = json::parse(arguments.at(0));
      auto& pages = pages_[input["what"]];
      if (pages.empty()) return Outcome::result(R"({"changes": [], "cursor": "c0", "more": false})");
      const json page = pages.front();
      pages.erase(pages.begin());
      return Outcome::result(page.dump());
    });
    hear("inventory.load_stock", Outcome::result("{}"));
    hear("erp.push_stock", Outcome::result(R"({"winner": "ours"})"));
    hear("erp.push_item", Outcome::result(R"({"winner": "open", "conflict": "c-1"})"));
  }

  void hear(const std::string& type, const Outcome& outcome) {
    driver_.on_activity(type, [this, type, outcome](const auto& arguments) {
      heard_[type].push_back(json::parse(arguments.at(0)));
      return outcome;
    });
  }
  // Two hours with a round every hour, and what happens meanwhile.
  json run() {
    driver_.after(absl::Minutes(150), [this] { driver_.signal("stop"); });
    driver_.start({R"({"every": "1h"})"});
    driver_.run();
    EXPECT_EQ(driver_.status(), "completed") << driver_.task_failure_text();
    EXPECT_EQ(driver_.replay(), "");
    return driver_.status() == "completed" ? json::parse(driver_.result()) : json();
  }

  HistoryDriver driver_;
  std::map<std::string, std::vector<json>> pages_, heard_;
};

TEST_F(ErpSyncTest, ReadsPageAfterPageAndLoadsWhatArrived) {
  pages_["items"] = {{{"changes", {{{"sku", "a"}}, {{"sku", "b"}}}}, {"more", true}},
                     {{"changes", {{{"sku", "c"}}}}, {"more", false}}};
  pages_["stock"] = {{{"changes", {{{"sku", "a"}}}},
                      {"more", false},
                      {"arrivals", {{{"sku", "a"}, {"quantity", 7}}}},
                      {"load_id", "erp/c9"}}};
  const json counts = run();
  EXPECT_EQ(counts["pulled"], (json{{"items", 3}, {"stock", 1}, {"orders", 0}}));
  EXPECT_EQ(counts["arrived"], 7);
  EXPECT_EQ(heard_["inventory.load_stock"],
            std::vector<json>({{{"load_id", "erp/c9"}, {"items", {{{"sku", "a"}, {"quantity", 7}}}}}}));
  EXPECT_EQ(counts["rounds"], 4) << "at once, twice an hour later, and when it was told to stop";
}

TEST_F(ErpSyncTest, WritesWhatChangedHereAsSoonAsItHears) {
  driver_.after(absl::Minutes(10), [this] {
    driver_.signal("changed", {R"({"kind": "stock", "sku": "a", "quantity": 5})"});
    driver_.signal("changed", {R"({"kind": "item", "sku": "a", "price": 9})"});
    driver_.signal("changed", {R"({"kind": "weather"})"});
  });
  const json counts = run();
  EXPECT_EQ(heard_["erp.push_stock"][0]["quantity"], 5);
  EXPECT_EQ(counts["pushed"], 2);
  EXPECT_EQ(counts["conflicts"], json({"c-1"}));
  EXPECT_EQ(counts["problems"][0]["problem"], "kind must be stock or item");
}

TEST_F(ErpSyncTest, WhatTheErpRefusesIsNotedAndTheNextRoundGoesOn) {
  hear("erp.push_stock", Outcome::refusal("ErpRefused"));
  driver_.after(absl::Minutes(10),
                [this] { driver_.signal("changed", {R"({"kind": "stock", "sku": "a", "quantity": 5})"}); });
  const json counts = run();
  EXPECT_EQ(counts["pushed"], 0);
  EXPECT_EQ(counts["problems"][0]["what"], "push stock a");
  EXPECT_GT(counts["rounds"], 3);
}

TEST_F(ErpSyncTest, ArrivalsThatAreRefusedAreKeptAndTriedAgain) {
  bool is_open = false;
  driver_.on_activity("inventory.load_stock", [this, &is_open](const auto& arguments) {
    const json input = json::parse(arguments.at(0));
    heard_["inventory.load_stock"].push_back(input);
    for (const json& item : input["items"]) {
      if (item["quantity"] > 1000 && !is_open) return Outcome::refusal("InvalidInput");
    }
    return Outcome::result("{}");
  });
  pages_["stock"] = {{{"changes", json::array()},
                      {"more", true},
                      {"arrivals", {{{"sku", "a"}, {"quantity", 2000}}, {{"sku", "b"}, {"quantity", 3}}}},
                      {"load_id", "erp/c9"}},
                     {{"changes", json::array()},
                      {"more", false},
                      {"arrivals", {{{"sku", "c"}, {"quantity", 4}}}},
                      {"load_id", "erp/c10"}}};
  driver_.after(absl::Minutes(70), [this, &is_open] {
    const json status = json::parse(driver_.query("status"));
    EXPECT_EQ(status["arrived"], 7) << "the others do not wait for it";
    EXPECT_EQ(status["unloaded"].size(), 1);
    EXPECT_EQ(status["unloaded"][0]["load_id"], "erp/c9/a");
    EXPECT_EQ(status["problems"][0]["what"], "load erp/c9");
    is_open = true;
  });
  const json counts = run();
  EXPECT_EQ(counts["arrived"], 2007);
  EXPECT_EQ(counts["unloaded"], json::array());
  EXPECT_EQ(heard_["inventory.load_stock"].back(),
            (json{{"load_id", "erp/c9/a"}, {"items", {{{"sku", "a"}, {"quantity", 2000}}}}}));
}

TEST_F(ErpSyncTest, SyncsAtOnceWhenItIsTold) {
  driver_.after(absl::Minutes(10), [this] { driver_.signal("now"); });
  driver_.after(absl::Minutes(20), [this] {
    const json status = json::parse(driver_.query("status"));
    EXPECT_EQ(status["rounds"], 2);
    EXPECT_EQ(status["state"], "waiting");
  });
  run();
}

}  // namespace
}  // namespace skald::lua::testing
