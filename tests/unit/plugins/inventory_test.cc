#include <gmock/gmock.h>

#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {
namespace {

class InventoryTest : public HostTest {
 protected:
  InventoryTest() { load_product("inventory"); }

  static json pieces(int quantity) { return {{{"sku", "A"}, {"quantity", quantity}}}; }
  void stock(int quantity, const std::string& ns = "default") {
    run({.type = "inventory.load_stock", .input = {{"load_id", "1"}, {"items", pieces(quantity)}}, .ns = ns});
  }
  static json order(const std::string& id, int quantity = 1) { return {{"order_id", id}, {"items", pieces(quantity)}}; }
  json audit(const std::string& ns = "default") { return result({.type = "inventory.audit", .ns = ns}); }
};

TEST_F(InventoryTest, NeverSellsMoreThanThereIs) {
  stock(10);
  std::vector<std::future<Outcome>> answers;
  for (int i = 0; i < 100; ++i) answers.push_back(start({"inventory.reserve", order(std::to_string(i))}));
  int refused = 0;
  for (auto& answer : answers) refused += error(answer.get()) == "OutOfStock";
  EXPECT_EQ(refused, 90);
  const json books = audit();
  EXPECT_EQ(books["reserved"], 10);
  EXPECT_EQ(books["balanced"], true);
}

TEST_F(InventoryTest, ReservesAllArticlesOfAnOrderOrNone) {
  stock(10);
  const Failure refused =
      failure(Task{"inventory.reserve",
                   {{"order_id", "1"}, {"items", {{{"sku", "A"}, {"quantity", 1}}, {{"sku", "B"}, {"quantity", 1}}}}}});
  EXPECT_EQ(refused.application_failure_info().type(), "OutOfStock");
  EXPECT_TRUE(refused.application_failure_info().non_retryable());
  EXPECT_EQ(audit()["on_hand"], 10);
}

TEST_F(InventoryTest, ShippedGoodsComeBackThroughAnotherWorkflow) {
  stock(5);
  run({"inventory.reserve", order("1", 3)});
  EXPECT_EQ(result({"inventory.confirm", {{"order_id", "1"}}})["moved"], 1);
  EXPECT_EQ(audit()["shipped"], 3);
  const Task back{.type = "inventory.return_stock", .input = {{"order_id", "1"}}, .workflow = "return"};
  EXPECT_EQ(result(back)["moved"], 1);
  EXPECT_EQ(result(back)["moved"], 1);
  const json books = audit();
  EXPECT_EQ(books["on_hand"], 5);
  EXPECT_EQ(books["returned"], 3);
  EXPECT_EQ(books["balanced"], true);
}

TEST_F(InventoryTest, PartsOfAnOrderComeBackButNotMoreThanWasShipped) {
  stock(5);
  run({"inventory.reserve", order("1", 3)});
  run({"inventory.confirm", {{"order_id", "1"}}});
  const auto back = [&](const std::string& id, int quantity) {
    return Task{.type = "inventory.return_stock",
                .input = {{"order_id", "1"}, {"return_id", id}, {"items", pieces(quantity)}},
                .workflow = "return-" + id};
  };
  EXPECT_EQ(error(back("1", 2)), "");
  EXPECT_EQ(error(back("1", 2)), "") << "again: the same effect, once";
  EXPECT_EQ(audit()["shipped"], 1);
  EXPECT_EQ(error(back("2", 2)), "NotEnoughShipped");
  EXPECT_EQ(audit()["shipped"], 1) << "all or nothing";
  EXPECT_EQ(error(back("3", 1)), "");
  EXPECT_EQ(error(back("4", 1)), "NotShipped");
  const json books = audit();
  EXPECT_EQ(books["on_hand"], 5);
  EXPECT_EQ(books["returned"], 3);
  EXPECT_EQ(books["balanced"], true) << books;
}

TEST_F(InventoryTest, ReleaseUndoesAReservationThatWasConfirmed) {
  stock(5);
  run({"inventory.reserve", order("1", 3)});
  run({"inventory.confirm", {{"order_id", "1"}}});
  EXPECT_EQ(result({"inventory.release", {{"order_id", "1"}}})["undone"], true);
  EXPECT_EQ(audit()["on_hand"], 5);
  EXPECT_EQ(audit()["balanced"], true);
}

TEST_F(InventoryTest, ConfirmingWhatIsNotReservedIsRefused) {
  stock(5);
  EXPECT_EQ(error({"inventory.confirm", {{"order_id", "1"}}}), "NotReserved");
  run({"inventory.reserve", order("1")});
  run({"inventory.release", {{"order_id", "1"}}});
  EXPECT_EQ(error({"inventory.confirm", {{"order_id", "1"}}}), "AlreadyCompensated");
  EXPECT_EQ(error({"inventory.return_stock", {{"order_id", "1"}}}), "AlreadyCompensated");
  const auto by_another = [&](const std::string& type) {
    return error({.type = type, .input = {{"order_id", "1"}}, .workflow = "another"});
  };
  EXPECT_EQ(by_another("inventory.confirm"), "NotReserved");
  EXPECT_EQ(by_another("inventory.return_stock"), "NotShipped");
}

TEST_F(InventoryTest, SameOrderInTwoNamespacesHasTwoStocks) {
  stock(5, "a");
  stock(7, "b");
  run({.type = "inventory.reserve", .input = order("1", 5), .ns = "a"});
  run({.type = "inventory.reserve", .input = order("1", 5), .ns = "b"});
  EXPECT_EQ(audit("a")["on_hand"], 0);
  EXPECT_EQ(audit("b")["on_hand"], 2);
}

TEST_F(InventoryTest, TwoReservationsOnOneOrderAreTwo) {
  stock(5);
  json first = order("1"), second = order("1");
  first["reservation_id"] = "morning";
  second["reservation_id"] = "evening";
  run({"inventory.reserve", first});
  run({"inventory.reserve", second});
  EXPECT_EQ(audit()["reserved"], 2);
  run({"inventory.release", {{"order_id", "1"}, {"reservation_id", "morning"}}});
  EXPECT_EQ(audit()["reserved"], 1);
}

TEST_F(InventoryTest, OtherItemsUnderTheSameKeyAreRefused) {
  stock(5);
  run({"inventory.reserve", order("1", 1)});
  EXPECT_EQ(error({"inventory.reserve", order("1", 2)}), "IdempotencyConflict");
}

TEST_F(InventoryTest, OrderThatTwoWorkflowsTellIsReservedAndConfirmedOnce) {
  stock(5);
  const json about = {{"order_id", "1"}};
  run({.type = "inventory.reserve", .input = order("1"), .workflow = "w1"});
  EXPECT_EQ(error({.type = "inventory.reserve", .input = order("1"), .workflow = "w2"}), "");
  EXPECT_EQ(audit()["reserved"], 1);
  run({.type = "inventory.confirm", .input = about, .workflow = "w1"});
  EXPECT_EQ(result({.type = "inventory.release", .input = about, .workflow = "w2"})["undone"], false);
  EXPECT_EQ(audit()["shipped"], 1) << "what one has confirmed is not undone by the other";
  EXPECT_EQ(error({.type = "inventory.reserve", .input = order("1", 2), .workflow = "w3"}), "IdempotencyConflict");
}

TEST_F(InventoryTest, OrderThatComesAgainIsConfirmedAnew) {
  stock(5);
  const auto in_run = [&](const std::string& type, const json& input, const std::string& run_id) {
    return run({.type = "inventory." + type, .input = input, .run_id = run_id});
  };
  const json about = {{"order_id", "1"}};
  in_run("reserve", order("1"), "first");
  in_run("confirm", about, "first");
  in_run("release", about, "first");
  EXPECT_EQ(audit()["shipped"], 0);
  EXPECT_EQ(error(in_run("reserve", order("1", 3), "second")), "");
  EXPECT_EQ(error(in_run("confirm", about, "first")), "AlreadyCompensated") << "a late one";
  EXPECT_EQ(audit()["reserved"], 3);
  EXPECT_EQ(error(in_run("confirm", about, "second")), "");
  const json books = audit();
  EXPECT_EQ(books["shipped"], 3) << "the confirmation of the first try is not taken for it";
  EXPECT_EQ(books["balanced"], true) << books;
}

TEST_F(InventoryTest, OrderWithoutItemsIsRefused) {
  stock(5);
  for (const json& items : {json::array(), json(), json::object(), json("A")}) {
    const Failure failed = failure(Task{"inventory.reserve", {{"order_id", "1"}, {"items", items}}});
    EXPECT_EQ(failed.application_failure_info().type(), "InvalidInput") << items;
    EXPECT_TRUE(failed.application_failure_info().non_retryable()) << items;
    EXPECT_THAT(failed.message(), testing::HasSubstr("items")) << items;
  }
  EXPECT_EQ(error({"inventory.confirm", {{"order_id", "1"}}}), "NotReserved");
}

TEST_F(InventoryTest, RefusalNamesTheFieldThatIsWrong) {
  const auto sentence = [&](const json& input) { return failure(Task{"inventory.reserve", input}).message(); };
  const json good = {{"sku", "A"}, {"quantity", 1}};
  const auto items = [&](const json& second) { return json{{"order_id", "1"}, {"items", {good, second}}}; };
  EXPECT_EQ(sentence(nullptr), "the input must be a JSON object with the field order_id");
  EXPECT_EQ(sentence({{"items", {good}}}), "the field order_id is missing");
  EXPECT_EQ(sentence({{"order_id", "1"}}), "the field items is missing");
  EXPECT_EQ(sentence({{"order_id", 17}, {"items", {good}}}), "order_id must be a text");
  EXPECT_EQ(sentence({{"order_id", "1"}, {"items", json::array()}}),
            "items must not be empty: an order has at least one article");
  EXPECT_EQ(sentence(items("A")), "items[1] must be a JSON object with the field sku");
  EXPECT_EQ(sentence(items({{"sku", "A"}})), "the field items[1].quantity is missing");
  EXPECT_EQ(sentence(items({{"sku", ""}, {"quantity", 1}})), "items[1].sku must not be empty");
  for (const json& quantity : {json(0), json(-3), json(1.5), json("2"), json(1000000001), json(1e300)}) {
    EXPECT_EQ(sentence(items({{"sku", "A"}, {"quantity", quantity}})),
              "items[1].quantity must be a whole number from 1 to 1000000000");
  }
}

TEST_F(InventoryTest, InputThatMakesNoSenseIsNotRetried) {
  for (const json& input :
       {json::object(), json(), json({{"order_id", ""}, {"items", pieces(1)}}), order("1", 0), order("1", -1),
        json({{"order_id", "1"}, {"items", "many"}}), json({{"order_id", 1}, {"items", pieces(1)}})}) {
    const Failure failed = failure(Task{"inventory.reserve", input});
    EXPECT_EQ(failed.application_failure_info().type(), "InvalidInput") << input;
    EXPECT_TRUE(failed.application_failure_info().non_retryable()) << input;
  }
}

TEST_F(InventoryTest, LevelsTellWhatIsOnHand) {
  stock(10);
  run({"inventory.reserve", order("1", 3)});
  EXPECT_EQ(result({"inventory.levels", {{"skus", {"A", "nobody's"}}}}),
            json({{"on_hand", {{"A", 7}, {"nobody's", 0}}}}));
  EXPECT_EQ(failure(Task{"inventory.levels", {{"skus", {7}}}}).message(), "skus must be a list of texts");
}

}  // namespace
}  // namespace skald::plugins
