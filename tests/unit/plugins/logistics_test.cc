#include <gmock/gmock.h>

#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {
namespace {

class LogisticsTest : public HostTest {
 protected:
  LogisticsTest() { load_product("logistics"); }

  static json order(const std::string& id, const json& more = json::object()) {
    json input = {{"order_id", id}, {"country", "UK"}};
    input.update(more);
    return input;
  }
  json audit(const std::string& ns = "default") { return result({.type = "logistics.audit", .ns = ns}); }
};

TEST_F(LogisticsTest, WaybillIsOpenThenDelivered) {
  const json made = result({"logistics.create_waybill", order("1")});
  EXPECT_EQ(result({"logistics.track", order("1")}), json({{"waybill_id", made["waybill_id"]}, {"state", "open"}}));
  EXPECT_EQ(result({"logistics.deliver", order("1")})["waybill_id"], made["waybill_id"]);
  EXPECT_EQ(result({"logistics.track", order("1")})["state"], "delivered");
  EXPECT_EQ(
      audit(),
      json({{"balanced", true}, {"waybills", 1}, {"open", 0}, {"cancelled", 0}, {"delivered", 1}, {"unresolved", 0}}));
}

TEST_F(LogisticsTest, DeliveredWaybillIsNotCancelledNorACancelledOneDelivered) {
  run({"logistics.create_waybill", order("1")});
  run({"logistics.deliver", order("1")});
  EXPECT_EQ(error({"logistics.cancel_waybill", order("1")}), "AlreadyDelivered");
  run({"logistics.create_waybill", order("2")});
  run({"logistics.cancel_waybill", order("2")});
  EXPECT_EQ(error({"logistics.deliver", order("2")}), "AlreadyCompensated");
  EXPECT_EQ(error({.type = "logistics.deliver", .input = order("2"), .workflow = "another"}), "WaybillCancelled");
  EXPECT_EQ(audit()["balanced"], true);
}

TEST_F(LogisticsTest, EveryWaybillHasItsOwnNumber) {
  const json first = result({"logistics.create_waybill", order("1")});
  const json second = result({"logistics.create_waybill", order("1", {{"shipment_id", "rest"}})});
  const json third = result({.type = "logistics.create_waybill", .input = order("1"), .ns = "elsewhere"});
  EXPECT_NE(first, second);
  EXPECT_NE(first, third);
  EXPECT_EQ(audit()["waybills"], 2);
}

TEST_F(LogisticsTest, CarrierThatKnowsMoreThanWeDoIsOutOfBalanceUntilTheRetry) {
  Task task{"logistics.create_waybill", order("1", {{"sandbox", {{"ship", "lose_answer"}}}})};
  EXPECT_EQ(error(task), "AnswerLost");
  EXPECT_EQ(audit()["balanced"], false);
  EXPECT_EQ(audit()["unresolved"], 1);
  task.attempt = 2;
  EXPECT_THAT(result(task)["waybill_id"].get<std::string>(), testing::StartsWith("W-"));
  EXPECT_EQ(audit()["balanced"], true);
}

TEST_F(LogisticsTest, WaybillsThatAreNotThereOrAreSeveral) {
  EXPECT_EQ(error({"logistics.track", order("1")}), "WaybillNotFound");
  run({"logistics.create_waybill", order("1", {{"shipment_id", "a"}})});
  run({"logistics.create_waybill", order("1", {{"shipment_id", "b"}})});
  EXPECT_EQ(error({"logistics.track", order("1")}), "WaybillAmbiguous");
  EXPECT_EQ(error({"logistics.track", order("1", {{"shipment_id", "b"}})}), "");
}

TEST_F(LogisticsTest, RefusalNamesTheFieldThatIsWrong) {
  const auto sentence = [&](const std::string& activity, const json& input) {
    return failure(Task{activity, input}).message();
  };
  EXPECT_EQ(sentence("logistics.create_waybill", {{"country", "UK"}}), "the field order_id is missing");
  EXPECT_EQ(sentence("logistics.create_waybill", {{"order_id", "1"}, {"country", 44}}), "country must be a text");
  EXPECT_EQ(sentence("logistics.quote", json::object()), "the field items is missing");
  EXPECT_EQ(sentence("logistics.quote", {{"items", {{{"quantity", "x"}}}}}),
            "items[0].quantity must be a whole number from 1 to 1000000000");
}

TEST_F(LogisticsTest, QuotesByPieces) {
  EXPECT_EQ(result({"logistics.quote", {{"items", {{{"quantity", 2}}, {{"quantity", 3}}}}}})["price"], 450);
}

TEST_F(LogisticsTest, CandidatesAreEachWarehouseWithEachCarrier) {
  const json input = {
      {"items", {{{"quantity", 5}}}},
      {"country", "NO"},
      {"warehouses", {{{"name", "north"}, {"country", "NO"}, {"stock", 7}}, {{"name", "west"}, {"country", "UK"}}}}};
  const json candidates = result({"logistics.candidates", input})["candidates"];
  ASSERT_EQ(candidates.size(), 6);
  EXPECT_EQ(candidates[1], json({{"id", "north/standard"},
                                 {"warehouse", "north"},
                                 {"carrier", "standard"},
                                 {"cost", 450},
                                 {"promise_days", 3},
                                 {"stock", 7}}));
  EXPECT_EQ(candidates[4], json({{"id", "west/standard"},
                                 {"warehouse", "west"},
                                 {"carrier", "standard"},
                                 {"cost", 900},
                                 {"promise_days", 6}}))
      << "beyond a border it costs and takes twice as much";
  EXPECT_EQ(
      failure(Task{"logistics.candidates", {{"items", json::array()}, {"warehouses", {{{"name", "x"}}}}}}).message(),
      "the field warehouses[0].country is missing");
}

}  // namespace
}  // namespace skald::plugins
