#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/lua/delivered_workflows.h"
#include "tests/unit/lua/history_driver.h"

namespace skald::lua::testing {

using nlohmann::json;

// The assisted order as it is delivered, against partners, models and people whose answers the tests give.
class AssistedOrderTest : public ::testing::Test {
 protected:
  using Answer = std::function<Outcome(const json& input)>;

  AssistedOrderTest() : driver_(delivered_workflow("assisted_order"), {}, delivered_modules()) {
    driver_.forget_between_tasks();
    for (const char* type :
         {"inventory.reserve", "payment.charge", "payment.refund", "logistics.create_waybill", "inventory.confirm",
          "erp.push_order", "erp.push_outcome", "llm.await_person", "llm.confirm"})
      answer(type, json({{"done", true}}));
    for (const char* type : {"inventory.release", "payment.cancel", "logistics.cancel_waybill"})
      answer(type, json({{"undone", true}}));
    answer("inventory.levels", [](const json& input) {
      json on_hand = json::object();
      for (const json& sku : input["skus"]) on_hand[sku.get<std::string>()] = sku == "A@north" ? 7 : 0;
      return Outcome::result(json({{"on_hand", on_hand}}).dump());
    });
    answer("logistics.candidates",
           json({{"candidates", {candidate("economy", 100, 9), candidate("express", 900, 1)}}}));
    decides("risk", {{"verdict", "approve"}, {"risk", 0.1}}, 0.95);
    decides("dispatch", {{"choice", "north/express"}}, 0.9);
    decides("after_sales", {{"remedy", "reship"}, {"amount", 0}}, 0.9);
    answer("llm.decide", [this](const json& input) { return agents_.at(input["agent"])(input); });
  }
  ~AssistedOrderTest() override {
    if (driver_.status() == "completed") {
      EXPECT_EQ(driver_.replay(), "");
    }
  }

  static json candidate(const std::string& carrier, int cost, int days) {
    return {{"id", "north/" + carrier}, {"warehouse", "north"},
            {"carrier", carrier},       {"cost", cost},
            {"promise_days", days},     {"stock", 7}};
  }
  static json decision(const std::string& agent, const json& output, double confidence,
                       const std::string& source = "model") {
    return {{"decision_id", "d-" + agent},
            {"output", output},
            {"confidence", confidence},
            {"explanation", "so it seems"},
            {"source", source}};
  }

  void answer(const std::string& type, Answer answer) {
    driver_.on_activity(type, [this, type, answer](const auto& arguments) {
      heard_[type].push_back(json::parse(arguments.at(0)));
      return answer(heard_[type].back());
    });
  }
  void answer(const std::string& type, const json& result) {
    answer(type, [result](const json&) { return Outcome::result(result.dump()); });
  }
  void fails(const std::string& type, const std::string& error) {
    answer(type, [error](const json&) { return Outcome::refusal(error); });
  }
  void agent(const std::string& name, Answer answer) { agents_[name] = std::move(answer); }
  void decides(const std::string& name, const json& output, double confidence, const std::string& source = "model") {
    agent(name, [=](const json&) { return Outcome::result(decision(name, output, confidence, source).dump()); });
  }
  // Some time after a person was asked.
  void later(absl::Duration wait, std::function<void()> happens) {
    answer("llm.await_person", [=, this](const json&) {
      driver_.after(wait, happens);
      return Outcome::result("{}");
    });
  }
  void person_says(const std::string& agent, const std::string& verdict, absl::Duration wait = absl::Minutes(5)) {
    later(wait, [=, this] { say(agent, verdict); });
  }
  void say(const std::string& agent, const std::string& verdict, const std::string& by = "ida") {
    driver_.signal(
        "decide",
        {json({{"decision_id", "d-" + agent}, {"verdict", verdict}, {"by", by}, {"reason", "I know them"}}).dump()});
  }

  json run(const json& more = json::object()) {
    json order = {{"order_id", "1"}, {"items", {{{"sku", "A"}, {"quantity", 2}}}},
                  {"total", 80000},  {"currency", "EUR"},
                  {"country", "NO"}, {"delivery_within", 0}};
    order.update(more);
    driver_.start({order.dump()});
    driver_.run();
    EXPECT_EQ(driver_.task_failure_text(), "");
    return driver_.status() == "completed" ? json::parse(driver_.result()) : json();
  }
  json status() { return json::parse(driver_.query("status")); }
  bool did(const std::string& type) const { return heard_.count(type) > 0; }
  int times(const std::string& type) const { return did(type) ? static_cast<int>(heard_.at(type).size()) : 0; }
  json last(const std::string& type) const { return did(type) ? heard_.at(type).back() : json(); }

  HistoryDriver driver_;
  std::map<std::string, Answer> agents_;
  std::map<std::string, std::vector<json>> heard_;
};

}  // namespace skald::lua::testing
