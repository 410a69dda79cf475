#include <gmock/gmock.h>

#include "tests/unit/erp/erp_fixture.h"

namespace skald::plugins {
namespace {

class PullTest : public ErpTest {
 protected:
  void stock_items(int count) {
    json items = json::array();
    for (int i = 0; i < count; ++i) items.push_back({{"sku", "s" + std::to_string(i)}, {"name", "n"}, {"price", i}});
    somebody("items", items);
  }
  Task pull(const std::string& what, int limit = 100) { return task("pull", {{"what", what}, {"limit", limit}}); }
  static std::vector<std::string> skus(const json& page) {
    std::vector<std::string> out;
    for (const json& change : page["changes"]) out.push_back(change["sku"]);
    return out;
  }
};

TEST_F(PullTest, GoesThroughTheFeedPageByPage) {
  stock_items(5);
  std::vector<std::string> seen;
  for (bool more = true; more;) {
    const json page = result(pull("items", 2));
    for (const std::string& sku : skus(page)) seen.push_back(sku);
    more = page["more"];
  }
  EXPECT_THAT(seen, testing::ElementsAre("s0", "s1", "s2", "s3", "s4"));
  EXPECT_EQ(result(pull("items"))["changes"], json::array()) << "nothing is new";
  EXPECT_EQ(result(task("item", {{"sku", "s3"}}))["item"]["price"], 3);
}

TEST_F(PullTest, LaterChangesComeWithTheNextPages) {
  stock_items(3);
  run(pull("items"));
  somebody("items/s1", {{"price", 99}});
  const json page = result(pull("items"));
  EXPECT_THAT(skus(page), testing::ElementsAre("s1"));
  EXPECT_EQ(result(task("item", {{"sku", "s1"}}))["item"]["price"], 99);
}

TEST_F(PullTest, AttemptWhoseAnswerGotLostGetsItsPageAgain) {
  stock_items(4);
  const Task first = pull("items", 2), second = pull("items", 2);
  const json page = result(first);
  EXPECT_EQ(result(first), page) << "nothing is skipped";
  load();
  EXPECT_EQ(result(first), page) << "nor after a crash";
  EXPECT_THAT(skus(result(second)), testing::ElementsAre("s2", "s3")) << "nothing is repeated";
}

TEST_F(PullTest, PageThatBreaksOffMovesNothing) {
  stock_items(2);
  erp_.set_faults({{"GET /v1/items", {{"fault", "cut"}, {"times", 1}}}});
  const Task broken = pull("items");
  EXPECT_NE(error(broken), "");
  EXPECT_EQ(error(task("item", {{"sku", "s0"}})), "ItemNotFound");
  EXPECT_EQ(result(broken)["changes"].size(), 2);
}

TEST_F(PullTest, TwoAtATimeNeverApplyThePageTwice) {
  stock_items(2);
  erp_.set_faults({{"GET /v1/items", {{"fault", "hold"}, {"times", 1}}}});
  const Task slow = pull("items");
  auto late = start(slow);
  ASSERT_TRUE(erp_.wait_for_held());
  EXPECT_EQ(result(pull("items"))["changes"].size(), 2);
  erp_.set_faults(json::object());
  const Outcome outcome = late.get();
  EXPECT_EQ(error(outcome), "CursorMoved");
  EXPECT_TRUE(is_retryable(outcome));
  EXPECT_EQ(result(slow)["changes"], json::array());
}

TEST_F(PullTest, GoodsThatArrivedAreToldOnce) {
  somebody("stock/tea/receive", {{"quantity", 30}});
  const Task first = pull("stock");
  const json page = result(first);
  EXPECT_EQ(page["arrivals"], (json::array({{{"sku", "tea"}, {"quantity", 30}}})));
  EXPECT_EQ(result(first), page);
  EXPECT_EQ(result(pull("stock"))["arrivals"], json::array());
  somebody("stock/tea", {{"quantity", 11}});
  EXPECT_EQ(result(pull("stock"))["arrivals"], json::array()) << "a correction is no arrival";
  somebody("stock/tea/receive", {{"quantity", 5}});
  somebody("stock/tea/receive", {{"quantity", 2}});
  const json next = result(pull("stock"));
  EXPECT_EQ(next["arrivals"], (json::array({{{"sku", "tea"}, {"quantity", 7}}})));
  EXPECT_NE(next["load_id"], page["load_id"]);
}

TEST_F(PullTest, BaselineIsWhatTheErpHadBeforeItWasFirstRead) {
  const auto baseline = [&] {
    return result(task("pull", {{"what", "stock"}, {"limit", 1}, {"first_stock", "baseline"}}))["arrivals"];
  };
  somebody("stock/tea/receive", {{"quantity", 9000}});
  somebody("stock/cup/receive", {{"quantity", 7000}});
  EXPECT_EQ(baseline(), json::array());
  EXPECT_EQ(baseline(), json::array());
  somebody("stock/tea/receive", {{"quantity", 5}});
  EXPECT_EQ(baseline(), (json::array({{{"sku", "tea"}, {"quantity", 5}}})));
  somebody("stock/pot/receive", {{"quantity", 6}});
  EXPECT_EQ(baseline(), (json::array({{{"sku", "pot"}, {"quantity", 6}}}))) << "an article that is new has arrived";
}

TEST_F(PullTest, BaselineOfAnErpThatHadNothingIsNothing) {
  const auto baseline = [&] { return result(task("pull", {{"what", "stock"}, {"first_stock", "baseline"}})); };
  EXPECT_EQ(baseline()["arrivals"], json::array());
  somebody("stock/tea/receive", {{"quantity", 5}});
  EXPECT_EQ(baseline()["arrivals"], (json::array({{{"sku", "tea"}, {"quantity", 5}}})));
}

TEST_F(PullTest, OwnChangesDoNotComeBackAsNews) {
  somebody("stock/tea/receive", {{"quantity", 30}});
  EXPECT_EQ(result(task("push_stock", {{"sku", "tea"}, {"quantity", 12}}))["winner"], "ours");
  const json page = result(pull("stock"));
  EXPECT_EQ(page["changes"], json::array());
  EXPECT_EQ(page["arrivals"], (json::array({{{"sku", "tea"}, {"quantity", 30}}}))) << "but the goods did arrive";
}

TEST_F(PullTest, OrdersThatSomebodyChangedAreNews) {
  run(task("push_order", order("o1")));
  EXPECT_EQ(result(pull("orders"))["changes"], json::array());
  somebody("orders/default%2Fo1", {{"state", "on_hold"}});
  EXPECT_EQ(result(pull("orders"))["changes"][0]["state"], "on_hold");
  EXPECT_EQ(result(task("order", {{"order_id", "o1"}}))["state"], "on_hold");
}

TEST_F(PullTest, NamespacesHaveTheirOwnCursors) {
  stock_items(1);
  Task there = pull("items");
  there.ns = "b";
  EXPECT_EQ(result(pull("items"))["changes"].size(), 1);
  EXPECT_EQ(result(there)["changes"].size(), 1);
}

TEST_F(PullTest, UnknownKindIsRefused) { EXPECT_EQ(error(pull("prices")), "InvalidInput"); }

}  // namespace
}  // namespace skald::plugins
