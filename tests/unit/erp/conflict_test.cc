#include <gmock/gmock.h>

#include "tests/unit/erp/erp_fixture.h"

namespace skald::plugins {
namespace {

class ConflictTest : public ErpTest {
 protected:
  // We know of 30, somebody makes it 25.
  void disagree_about_stock() {
    somebody("stock/tea/receive", {{"quantity", 30}});
    run(task("pull", {{"what", "stock"}}));
    somebody("stock/tea", {{"quantity", 25}});
  }
  Task push(int64_t quantity, const json& more = json::object()) {
    json input = {{"sku", "tea"}, {"quantity", quantity}};
    input.update(more);
    return task("push_stock", input);
  }
  int64_t level() { return records("stock")[0]["quantity"]; }
  json conflicts(const std::string& state = "open") {
    return result(task("conflicts", {{"state", state}}))["conflicts"];
  }
};

TEST_F(ConflictTest, ErpWins) {
  load_with_rules({{"stock", "erp_wins"}});
  disagree_about_stock();
  const json pushed = result(push(20));
  EXPECT_EQ(pushed["winner"], "erp");
  EXPECT_EQ(pushed["quantity"], 25);
  EXPECT_EQ(level(), 25);
  EXPECT_EQ(result(task("item", {{"sku", "tea"}}))["stock"]["quantity"], 25) << "and now we know";
}

TEST_F(ConflictTest, OursWins) {
  load_with_rules({{"stock", "ours_wins"}});
  disagree_about_stock();
  EXPECT_EQ(result(push(20))["winner"], "ours");
  EXPECT_EQ(level(), 20);
}

TEST_F(ConflictTest, NewestWins) {
  load_with_rules({{"stock", "newest_wins"}});
  disagree_about_stock();
  EXPECT_EQ(result(push(20, {{"changed_at_ms", 1000}}))["winner"], "erp") << "we have decided long ago";
  EXPECT_EQ(level(), 25);
  somebody("stock/tea", {{"quantity", 24}});
  EXPECT_EQ(result(push(20))["winner"], "ours") << "we have decided after them";
  EXPECT_EQ(level(), 20);
}

TEST_F(ConflictTest, SomebodyIsAskedAndSaysOurs) {
  load_with_rules({{"stock", "ask"}});
  disagree_about_stock();
  const Task pushing = push(20);
  const json pushed = result(pushing);
  EXPECT_EQ(pushed["winner"], "open");
  EXPECT_EQ(result(pushing), pushed) << "another attempt opens no other conflict";
  EXPECT_EQ(level(), 25) << "nothing is written before somebody has decided";
  ASSERT_EQ(conflicts().size(), 1);
  EXPECT_EQ(conflicts()[0]["conflict"], pushed["conflict"]);
  EXPECT_EQ(conflicts()[0]["ours"], (json{{"quantity", 20}}));
  EXPECT_EQ(conflicts()[0]["theirs"]["quantity"], 25);
  EXPECT_EQ(audit()["open_conflicts"], 1);
  somebody("stock/tea", {{"note", "counted again"}});
  const Task resolve =
      task("resolve_conflict",
           {{"conflict", pushed["conflict"]}, {"choose", "ours"}, {"by", "Ann"}, {"reason", "counted by hand"}});
  const json resolved = result(resolve);
  EXPECT_EQ(resolved["state"], "resolved");
  EXPECT_EQ(result(resolve), resolved);
  EXPECT_EQ(level(), 20);
  EXPECT_EQ(conflicts(), json::array());
  EXPECT_EQ(conflicts("resolved")[0]["resolution"],
            (json{{"choose", "ours"}, {"by", "Ann"}, {"reason", "counted by hand"}}));
}

TEST_F(ConflictTest, SomebodyIsAskedAndSaysTheErp) {
  load_with_rules({{"stock", "ask"}});
  disagree_about_stock();
  const json id = result(push(20))["conflict"];
  EXPECT_EQ(result(task("resolve_conflict", {{"conflict", id}, {"choose", "erp"}, {"by", "Ann"}}))["state"],
            "resolved");
  EXPECT_EQ(level(), 25);
  EXPECT_EQ(error(task("resolve_conflict", {{"conflict", id}, {"choose", "ours"}, {"by", "Bob"}})), "AlreadyResolved");
  EXPECT_EQ(error(task("resolve_conflict", {{"conflict", "c-0"}, {"choose", "ours"}, {"by", "Bob"}})),
            "ConflictNotFound");
  EXPECT_EQ(error(task("resolve_conflict", {{"conflict", id}, {"choose", "both"}, {"by", "Bob"}})), "InvalidInput");
}

TEST_F(ConflictTest, LostAnswerOfAResolutionIsFound) {
  load_with_rules({{"stock", "ask"}});
  disagree_about_stock();
  const json id = result(push(20))["conflict"];
  erp_.set_faults({{"PUT /v1/stock/{id}", {{"fault", "cut"}, {"times", 1}}}});
  const Task resolve = task("resolve_conflict", {{"conflict", id}, {"choose", "ours"}, {"by", "Ann"}});
  EXPECT_EQ(error(resolve), "HttpConnectionLost");
  EXPECT_EQ(conflicts().size(), 1);
  EXPECT_EQ(result(resolve)["state"], "resolved");
  EXPECT_EQ(level(), 20);
}

TEST_F(ConflictTest, SecondPersonWhoDecidesOtherwiseMeanwhileHearsOfTheFirst) {
  load_with_rules({{"stock", "ask"}});
  disagree_about_stock();
  const json id = result(push(20))["conflict"];
  erp_.set_faults({{"PUT /v1/stock/{id}", {{"fault", "hold"}, {"times", 1}}}});
  auto late = start(task("resolve_conflict", {{"conflict", id}, {"choose", "ours"}, {"by", "Ann"}}));
  ASSERT_TRUE(erp_.wait_for_held());
  EXPECT_EQ(error(task("resolve_conflict", {{"conflict", id}, {"choose", "erp"}, {"by", "Bob"}})), "AlreadyResolved");
  EXPECT_EQ(conflicts()[0]["resolution"]["by"], "Ann") << "it is open until the ERP has it";
  erp_.set_faults(json::object());
  EXPECT_EQ(result(late.get())["resolution"]["by"], "Ann");
  EXPECT_EQ(conflicts("resolved")[0]["resolution"]["choose"], "ours");
  EXPECT_EQ(level(), 20);
}

TEST_F(ConflictTest, NothingIsWrittenAfterSomebodyHasDecidedForTheErp) {
  load_with_rules({{"stock", "ask"}});
  disagree_about_stock();
  const json id = result(push(20))["conflict"];
  erp_.set_faults({{"GET /v1/stock/{id}", {{"fault", "hold"}, {"times", 1}}}});
  auto late = start(task("resolve_conflict", {{"conflict", id}, {"choose", "erp"}, {"by", "Ann"}}));
  ASSERT_TRUE(erp_.wait_for_held());
  EXPECT_EQ(error(task("resolve_conflict", {{"conflict", id}, {"choose", "ours"}, {"by", "Bob"}})), "AlreadyResolved");
  erp_.set_faults(json::object());
  EXPECT_EQ(result(late.get())["resolution"]["by"], "Ann");
  EXPECT_EQ(level(), 25);
}

TEST_F(ConflictTest, ChoiceThatTheErpRefusesMayBeMadeAnew) {
  load_with_rules({{"stock", "ask"}});
  disagree_about_stock();
  const json id = result(push(20))["conflict"];
  erp_.set_faults({{"PUT /v1/stock/{id}", {{"fault", "error"}, {"status", 422}, {"times", 1}}}});
  EXPECT_EQ(error(task("resolve_conflict", {{"conflict", id}, {"choose", "ours"}, {"by", "Ann"}})), "ErpRefused");
  EXPECT_EQ(result(task("resolve_conflict", {{"conflict", id}, {"choose", "erp"}, {"by", "Bob"}}))["state"],
            "resolved");
  EXPECT_EQ(level(), 25);
}

TEST_F(ConflictTest, SameValueOnBothSidesIsNone) {
  load_with_rules({{"stock", "ask"}});
  disagree_about_stock();
  EXPECT_EQ(result(push(25))["winner"], "both");
  EXPECT_EQ(conflicts(), json::array());
}

TEST_F(ConflictTest, ChangeOfAnotherFieldIsNone) {
  load_with_rules({{"stock", "ask"}, {"items", "ask"}});
  somebody("items", json::array({{{"sku", "tea"}, {"name", "Tea"}, {"price", 400}}}));
  run(task("pull", {{"what", "items"}}));
  somebody("items/tea", {{"name", "Green tea"}});
  EXPECT_EQ(result(task("push_item", {{"sku", "tea"}, {"price", 450}}))["winner"], "ours");
  EXPECT_EQ(records("items")[0]["name"], "Green tea");
  EXPECT_EQ(records("items")[0]["price"], 450);
}

TEST_F(ConflictTest, CallerSaysWhichVersionHeHasSeen) {
  load_with_rules({{"stock", "erp_wins"}});
  disagree_about_stock();
  run(task("pull", {{"what", "stock"}}));
  EXPECT_EQ(result(push(20, {{"base_version", 2}}))["winner"], "erp") << "somebody changed what he had seen";
  EXPECT_EQ(result(push(20, {{"base_version", 3}}))["winner"], "ours");
}

TEST_F(ConflictTest, NobodyHasSeenItYetAndOursIsWritten) {
  load_with_rules({{"stock", "erp_wins"}});
  somebody("stock/tea/receive", {{"quantity", 30}});
  EXPECT_EQ(result(push(20))["winner"], "ours");
  EXPECT_EQ(level(), 20);
}

TEST_F(ConflictTest, RecordThatIsNotThereIsMade) {
  EXPECT_EQ(result(task("push_item", {{"sku", "tea"}, {"name", "Tea"}, {"price", 400}}))["version"], 1);
  EXPECT_EQ(result(push(20))["quantity"], 20);
  EXPECT_EQ(level(), 20);
}

TEST_F(ConflictTest, OrderThatSomebodyCancelled) {
  const auto outcome_under = [&](const char* rule, const std::string& id) {
    load_with_rules({{"orders", rule}});
    run(task("push_order", order(id)));
    somebody("orders/default%2F" + id, {{"state", "cancelled"}});
    return result(task("push_outcome", outcome_of(id, "confirmed")));
  };
  EXPECT_EQ(outcome_under("erp_wins", "o1")["outcome"], "cancelled");
  EXPECT_EQ(outcome_under("ours_wins", "o2")["outcome"], "confirmed");
  EXPECT_EQ(outcome_under("newest_wins", "o3")["winner"], "ours") << "the outcome is newer";
  const json asked = outcome_under("ask", "o4");
  EXPECT_EQ(asked["winner"], "open");
  EXPECT_EQ(audit()["balanced"], true) << audit();
  run(task("resolve_conflict", {{"conflict", asked["conflict"]}, {"choose", "ours"}, {"by", "Ann"}}));
  EXPECT_EQ(result(task("order", {{"order_id", "o4"}}))["state"], "confirmed");
  EXPECT_EQ(audit()["balanced"], true) << audit();
}

TEST_F(ConflictTest, CancelledOrderThatWePulledIsAConflictToo) {
  load_with_rules({{"orders", "erp_wins"}});
  run(task("push_order", order("o1")));
  somebody("orders/default%2Fo1", {{"state", "cancelled"}});
  run(task("pull", {{"what", "orders"}}));
  EXPECT_EQ(result(task("push_outcome", outcome_of("o1", "confirmed")))["winner"], "erp");
}

TEST_F(ConflictTest, StormIsBounded) {
  load_with_rules({{"stock", "ours_wins"}});
  disagree_about_stock();
  erp_.set_faults({{"PUT /v1/stock/{id}", {{"fault", "rival"}}}});
  const Outcome outcome = run(push(20));
  EXPECT_EQ(error(outcome), "ErpConflictStorm");
  EXPECT_TRUE(is_retryable(outcome));
  EXPECT_EQ(failure(outcome).application_failure_info().next_retry_delay().seconds(), 1);
  EXPECT_EQ(calls("PUT /v1/stock/{id}"), 5);
  EXPECT_EQ(calls("GET /v1/stock/{id}"), 4);
}

TEST_F(ConflictTest, StormThatPassesHarmsNobody) {
  load_with_rules({{"stock", "ours_wins"}});
  disagree_about_stock();
  erp_.set_faults({{"PUT /v1/stock/{id}", {{"fault", "rival"}, {"times", 4}}}});
  EXPECT_EQ(result(push(20))["winner"], "ours");
  EXPECT_EQ(level(), 20);
}

}  // namespace
}  // namespace skald::plugins
