#include "samples/demo/merchant.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace skald::demo {
namespace {

TEST(Merchant, HasOrdersReturnsAndLinesThatAreNone) {
  const auto intake = take_in(parse_csv(merchant_csv(400)));
  ASSERT_TRUE(intake.ok());
  EXPECT_EQ(intake->orders.size(), 400u);
  EXPECT_EQ(intake->returns.size(), 20u);
  EXPECT_EQ(intake->complaints.size(), 1u);
}

TEST(Merchant, IsTheSameEveryTime) { EXPECT_EQ(merchant_csv(50), merchant_csv(50)); }

TEST(Merchant, TroublesEveryStep) {
  auto intake = take_in(parse_csv(merchant_csv(400)));
  const auto regretted = add_troubles(*intake);
  EXPECT_EQ(regretted.size(), 16u);
  std::set<std::string> steps;
  for (const Order& order : intake->orders) {
    if (order.sandbox.empty()) continue;
    const auto sandbox = nlohmann::json::parse(order.sandbox);
    for (auto fault = sandbox.begin(); fault != sandbox.end(); ++fault) steps.insert(fault.key());
  }
  EXPECT_THAT(steps, testing::ElementsAre("charge", "confirm", "create_waybill", "reserve"));
}

}  // namespace
}  // namespace skald::demo
