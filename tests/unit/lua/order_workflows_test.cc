#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/lua/delivered_workflows.h"
#include "tests/unit/lua/history_driver.h"

// The orders' workflows as they are delivered, against a shop whose answers the tests give.
namespace skald::lua::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class OrderFulfillmentTest : public ::testing::Test {
 protected:
  OrderFulfillmentTest() : driver_(delivered_workflow("order_fulfillment"), {}, delivered_modules()) {
    for (const char* type : {"inventory.reserve", "payment.charge", "logistics.create_waybill", "inventory.confirm"})
      answer(type, Outcome::result(R"({"done":true})"));
    for (const char* type : {"inventory.release", "payment.cancel", "logistics.cancel_waybill"})
      answer(type, Outcome::result(R"({"undone":true})"));
  }

  void answer(const std::string& type, const Outcome& outcome) {
    driver_.on_activity(type, [this, type, outcome](const auto& arguments) {
      heard_[type] = json::parse(arguments.at(0));
      return outcome;
    });
  }
  json run(const json& more = json::object()) {
    json order = {{"order_id", "1"}, {"items", {{{"sku", "A"}, {"quantity", 1}}}}, {"total", 500}};
    order.update(more);
    driver_.start({order.dump()});
    driver_.run();
    return driver_.status() == "completed" ? json::parse(driver_.result()) : json();
  }
  int64_t seconds_for(const std::string& type) const {
    for (const auto& event : driver_.history().events()) {
      const auto& scheduled = event.activity_task_scheduled_event_attributes();
      if (scheduled.activity_type().name() == type) return scheduled.schedule_to_close_timeout().seconds();
    }
    return -1;
  }

  HistoryDriver driver_;
  std::map<std::string, json> heard_;
};

TEST_F(OrderFulfillmentTest, CompensationsGetTheSandboxToo) {
  answer("inventory.confirm", Outcome::refusal("Rejected"));
  const json sandbox = {{"release", "lose_answer"}};
  EXPECT_EQ(run({{"sandbox", sandbox}})["compensations"], json({"cancel_waybill", "refund", "release"}));
  for (const char* type : {"inventory.release", "payment.cancel", "logistics.cancel_waybill"})
    EXPECT_EQ(heard_[type], json({{"order_id", "1"}, {"sandbox", sandbox}})) << type;
}

TEST_F(OrderFulfillmentTest, ListsOnlyCompensationsThatUndidSomething) {
  answer("payment.charge", Outcome::timeout());
  answer("payment.cancel", Outcome::result(R"({"undone":false})"));
  answer("inventory.release", Outcome::result(R"({"done":true})"));
  const json result = run();
  EXPECT_EQ(result["outcome"], "rejected");
  EXPECT_EQ(result["compensations"], json::array({"release"})) << "what does not say undone = false did happen";
}

TEST_F(OrderFulfillmentTest, TriesThePaymentForAQuarterOfAnHourOrAsLongAsTheOrderSays) {
  EXPECT_EQ(run()["outcome"], "confirmed");
  EXPECT_EQ(seconds_for("payment.charge"), 15 * 60);
  EXPECT_EQ(seconds_for("inventory.reserve"), 60 * 60);
}

TEST_F(OrderFulfillmentTest, GoodsThatMayHaveLeftAreConfirmedHoweverLongItTakes) {
  EXPECT_EQ(run()["outcome"], "confirmed");
  EXPECT_EQ(seconds_for("inventory.confirm"), 0);
}

TEST_F(OrderFulfillmentTest, PaymentTimeoutOfTheOrder) {
  EXPECT_EQ(run({{"payment_timeout", "3s"}})["outcome"], "confirmed");
  EXPECT_EQ(seconds_for("payment.charge"), 3);
}

TEST_F(OrderFulfillmentTest, PaymentTimeoutThatIsNoneFailsTheOrder) {
  run({{"payment_timeout", "soon"}});
  EXPECT_EQ(driver_.status(), "failed") << driver_.task_failure_text();
  EXPECT_EQ(driver_.failure().application_failure_info().type(), "InvalidInput");
  EXPECT_THAT(driver_.failure().message(), HasSubstr("payment_timeout must be a duration"));
}

TEST_F(OrderFulfillmentTest, OrderThatIsNoObjectFails) {
  driver_.start({});
  driver_.run();
  EXPECT_EQ(driver_.status(), "failed") << driver_.task_failure_text();
  EXPECT_EQ(driver_.failure().application_failure_info().type(), "InvalidInput");
}

TEST_F(OrderFulfillmentTest, FailedCompensationFailsTheOrder) {
  answer("logistics.create_waybill", Outcome::refusal("NoCourier"));
  answer("inventory.release", Outcome::refusal("NoShelf"));
  run();
  EXPECT_EQ(driver_.status(), "failed") << driver_.task_failure_text();
  EXPECT_EQ(driver_.failure().application_failure_info().type(), "CompensationFailed");
}

}  // namespace
}  // namespace skald::lua::testing
