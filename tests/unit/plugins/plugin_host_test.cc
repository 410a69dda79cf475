#include "plugins/host/plugin_host.h"

#include <filesystem>
#include <fstream>
#include <future>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace skald::plugins {
namespace {

using nlohmann::json;

class PluginHostTest : public testing::Test {
 protected:
  PluginHostTest() : folder_(testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    auto host = PluginHost::load({.folder = PLUGINS_FOLDER, .data_path = folder_ + "/data"});
    host_ = *std::move(host);
  }

  std::future<worker::ActivityOutcome> start(const std::string& type, const json& input, int attempt = 1) {
    worker::api::PollActivityTaskQueueResponse task;
    task.mutable_activity_type()->set_name(type);
    task.set_attempt(attempt);
    task.mutable_start_to_close_timeout()->set_seconds(60);
    task.mutable_input()->add_payloads()->set_data(input.dump());
    auto promise = std::make_shared<std::promise<worker::ActivityOutcome>>();
    host_->execute(
        task, [](auto, auto) {}, [promise](auto outcome) { promise->set_value(std::move(outcome)); });
    return promise->get_future();
  }
  static json result(worker::ActivityOutcome outcome) {
    const auto* payloads = std::get_if<temporal::api::common::v1::Payloads>(&outcome);
    return payloads == nullptr ? json() : json::parse(payloads->payloads(0).data());
  }
  static std::string failed(worker::ActivityOutcome outcome) {
    const auto* failure = std::get_if<temporal::api::failure::v1::Failure>(&outcome);
    return failure == nullptr ? "" : failure->application_failure_info().type();
  }
  void stock(int quantity) {
    result(
        start("inventory.load_stock", {{"load_id", "1"}, {"items", {{{"sku", "A"}, {"quantity", quantity}}}}}).get());
  }
  static json order(int id) {
    return {{"order_id", std::to_string(id)}, {"amount", 100}, {"items", {{{"sku", "A"}, {"quantity", 1}}}}};
  }

  std::string folder_;
  std::unique_ptr<PluginHost> host_;
};

TEST_F(PluginHostTest, NotAPluginIsReportedAndUnknownActivityIsNotRetried) {
  std::ofstream(folder_ + "/bad.so") << "no";
  auto host = PluginHost::load({.folder = folder_, .data_path = folder_ + "/x"});
  EXPECT_EQ((*host)->problems().size(), 1u);
  EXPECT_FALSE(PluginHost::load({.folder = folder_, .data_path = folder_ + "/x", .strict = true}).ok());
  EXPECT_EQ(failed(start("inventory.fly", {}).get()), "NotFoundError");
}

TEST_F(PluginHostTest, NeverSellsMoreThanThereIs) {
  stock(10);
  std::vector<std::future<worker::ActivityOutcome>> answers;
  for (int i = 0; i < 100; ++i) answers.push_back(start("inventory.reserve", order(i)));
  int refused = 0;
  for (auto& answer : answers) refused += failed(answer.get()) == "OutOfStock";
  EXPECT_EQ(refused, 90);
  const json audit = result(start("inventory.audit", json::object()).get());
  EXPECT_EQ(audit["reserved"], 10);
  EXPECT_EQ(audit["balanced"], true);
}

TEST_F(PluginHostTest, LostAnswerIsFoundByTheRetry) {
  json input = order(1);
  input["inject"] = {{"step", "pay"}, {"kind", "lost_answer"}};
  EXPECT_EQ(failed(start("payment.charge", input).get()), "AnswerLost");
  EXPECT_EQ(result(start("payment.charge", input, 2).get())["captured"], 100);
  EXPECT_EQ(result(start("payment.audit", json::object()).get())["captured"], 100);
}

TEST_F(PluginHostTest, CompensatedOrderLeavesBalancedBooks) {
  stock(1);
  for (const char* type : {"inventory.reserve", "payment.charge", "logistics.create_waybill",
                           "logistics.cancel_waybill", "payment.cancel", "inventory.release"}) {
    EXPECT_FALSE(result(start(type, order(1)).get()).is_null()) << type;
  }
  const json stock_audit = result(start("inventory.audit", json::object()).get());
  EXPECT_EQ(stock_audit["on_hand"], 1);
  EXPECT_EQ(stock_audit["balanced"], true);
  const json money = result(start("payment.audit", json::object()).get());
  EXPECT_EQ(money["refunded"], 100);
  EXPECT_EQ(money["balanced"], true);
}

TEST_F(PluginHostTest, InputWithoutItsFieldsIsAFailure) {
  EXPECT_EQ(failed(start("inventory.reserve", json::object()).get()), "InvalidInput");
}

}  // namespace
}  // namespace skald::plugins
