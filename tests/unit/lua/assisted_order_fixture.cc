#include "tests/unit/lua/assisted_order_fixture.h"

#include "tests/unit/lua/delivered_workflows.h"

namespace skald::lua::testing {

AssistedOrderTest::AssistedOrderTest() : driver_(delivered_workflow("assisted_order"), {}, delivered_modules()) {
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
  answer("logistics.candidates", json({{"candidates", {candidate("economy", 100, 9), candidate("express", 900, 1)}}}));
  decides("risk", {{"verdict", "approve"}, {"risk", 0.1}}, 0.95);
  decides("dispatch", {{"choice", "north/express"}}, 0.9);
  decides("after_sales", {{"remedy", "reship"}, {"amount", 0}}, 0.9);
  answer("llm.decide", [this](const json& input) { return agents_.at(input["agent"])(input); });
}

AssistedOrderTest::~AssistedOrderTest() {
  if (driver_.status() == "completed") {
    EXPECT_EQ(driver_.replay(), "");
  }
}

json AssistedOrderTest::candidate(const std::string& carrier, int cost, int days) {
  return {{"id", "north/" + carrier}, {"warehouse", "north"},
          {"carrier", carrier},       {"cost", cost},
          {"promise_days", days},     {"stock", 7}};
}

json AssistedOrderTest::decision(const std::string& agent, const json& output, double confidence,
                                 const std::string& source) {
  return {{"decision_id", "d-" + agent},
          {"output", output},
          {"confidence", confidence},
          {"explanation", "so it seems"},
          {"source", source}};
}

void AssistedOrderTest::answer(const std::string& type, Answer answer) {
  driver_.on_activity(type, [this, type, answer](const auto& arguments) {
    heard_[type].push_back(json::parse(arguments.at(0)));
    return answer(heard_[type].back());
  });
}

void AssistedOrderTest::answer(const std::string& type, const json& result) {
  answer(type, [result](const json&) { return Outcome::result(result.dump()); });
}

void AssistedOrderTest::fails(const std::string& type, const std::string& error) {
  answer(type, [error](const json&) { return Outcome::refusal(error); });
}

void AssistedOrderTest::decides(const std::string& name, const json& output, double confidence,
                                const std::string& source) {
  agent(name, [=](const json&) { return Outcome::result(decision(name, output, confidence, source).dump()); });
}

void AssistedOrderTest::later(absl::Duration wait, std::function<void()> happens) {
  answer("llm.await_person", [=, this](const json&) {
    driver_.after(wait, happens);
    return Outcome::result("{}");
  });
}

void AssistedOrderTest::person_says(const std::string& agent, const std::string& verdict, absl::Duration wait) {
  later(wait, [=, this] { say(agent, verdict); });
}

void AssistedOrderTest::say(const std::string& agent, const std::string& verdict, const std::string& by) {
  driver_.signal(
      "decide",
      {json({{"decision_id", "d-" + agent}, {"verdict", verdict}, {"by", by}, {"reason", "I know them"}}).dump()});
}

json AssistedOrderTest::run(const json& more) {
  json order = {{"order_id", "1"}, {"items", {{{"sku", "A"}, {"quantity", 2}}}},
                {"total", 80000},  {"currency", "EUR"},
                {"country", "NO"}, {"delivery_within", 0}};
  order.update(more);
  driver_.start({order.dump()});
  driver_.run();
  EXPECT_EQ(driver_.task_failure_text(), "");
  return driver_.status() == "completed" ? json::parse(driver_.result()) : json();
}

json AssistedOrderTest::status() { return json::parse(driver_.query("status")); }

}  // namespace skald::lua::testing
