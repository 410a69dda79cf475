#include "tests/unit/lua/assisted_order_fixture.h"

namespace skald::lua::testing {
namespace {

using DispatchAgentTest = AssistedOrderTest;

json parcel(const json& waybill) { return {{"warehouse", waybill["warehouse"]}, {"carrier", waybill["carrier"]}}; }

TEST_F(DispatchAgentTest, CarrierHearsTheModelsChoice) {
  const json result = run();
  EXPECT_EQ(result["outcome"], "confirmed");
  EXPECT_EQ(parcel(last("logistics.create_waybill")), json({{"warehouse", "north"}, {"carrier", "express"}}));
  EXPECT_EQ(result["parcel"]["cost"], 900);
  EXPECT_EQ(result["decisions"][1]["outcome"], "north/express");
  EXPECT_EQ(result["decisions"][1]["explanation"], "so it seems");
}

TEST_F(DispatchAgentTest, RuleDecidesInsteadOfAChoiceThatIsNone) {
  decides("dispatch", {{"choice", "moon/rocket"}}, 1);
  const json result = run();
  EXPECT_EQ(parcel(last("logistics.create_waybill")), json({{"warehouse", "north"}, {"carrier", "economy"}}));
  EXPECT_EQ(result["decisions"][1]["source"], "rule");
  EXPECT_EQ(last("llm.confirm"), json({{"decision_id", "d-dispatch"},
                                       {"verdict", "changed"},
                                       {"by", "rule"},
                                       {"reason", "'moon/rocket' is none of the candidates"},
                                       {"output", {{"choice", "north/economy"}}}}));
}

TEST_F(DispatchAgentTest, RuleDecidesInsteadOfAModelThatIsLate) {
  agent("dispatch", [](const json& input) {
    json late = decision("dispatch", input["fallback"]["output"], 1, "rule");
    late["reason"] = "timeout";
    return Outcome::result(late.dump());
  });
  const json result = run();
  EXPECT_EQ(result["parcel"]["id"], "north/economy");
  EXPECT_EQ(result["decisions"][1]["reason"], "timeout");
}

TEST_F(DispatchAgentTest, RuleCountsWhatADayTooLateCosts) {
  agent("dispatch", [](const json&) { return Outcome::timeout(); });
  EXPECT_EQ(run({{"wanted_within_days", 2}})["parcel"]["id"], "north/express")
      << "seven days too late cost more than 800";
}

TEST_F(DispatchAgentTest, WishThatIsNoNumberIsNone) {
  agent("dispatch", [](const json&) { return Outcome::timeout(); });
  EXPECT_EQ(run({{"wanted_within_days", {{"soon", true}}}})["parcel"]["id"], "north/economy");
}

TEST_F(DispatchAgentTest, OnlyWarehousesThatHaveTheGoodsAreCandidates) {
  run();
  EXPECT_EQ(last("logistics.candidates")["warehouses"], json({{{"name", "north"}, {"country", "NO"}, {"stock", 3}}}))
      << "seven pieces are three orders";
}

TEST_F(DispatchAgentTest, FirstWarehouseSendsWhereNobodyCountsByWarehouse) {
  run({{"items", {{{"sku", "B"}, {"quantity", 1}}}}});
  EXPECT_EQ(last("logistics.candidates")["warehouses"], json({{{"name", "central"}, {"country", "DE"}}}));
}

}  // namespace
}  // namespace skald::lua::testing
