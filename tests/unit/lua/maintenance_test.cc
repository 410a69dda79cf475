#include <functional>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/lua/delivered_workflows.h"
#include "tests/unit/lua/history_driver.h"

// A machine's maintenance as it is delivered, against partners whose answers the tests give.
namespace skald::lua::testing {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class MaintenanceTest : public ::testing::Test {
 protected:
  MaintenanceTest() : driver_(delivered_workflow("maintenance")) {
    answer("erp.create_work_order", R"({"work_order":"WO-1","version":1,"state":"created"})");
    answer("erp.assign_work_order", R"({"work_order":"WO-1","technician":{"id":"T-1","name":"Ida"}})");
    answer("erp.complete_work_order", R"({"work_order":"WO-1"})");
    answer("erp.cancel_work_order", R"({"undone":true})");
    answer("inventory.reserve", R"({"reservation_id":"1"})");
    answer("inventory.release", R"({"undone":true})");
    answer("inventory.confirm", R"({"moved":1})");
  }

  void answer(const std::string& type, const std::string& result) { answer(type, Outcome::result(result)); }
  void answer(
      const std::string& type, const Outcome& outcome, std::function<void()> also = [] {}) {
    driver_.on_activity(type, [this, type, outcome, also](const auto& arguments) {
      heard_[type] = json::parse(arguments.at(0));
      also();
      return outcome;
    });
  }
  void begin(const json& more = json::object()) {
    json job = {{"reference", "m-1"},
                {"device", "gear-1"},
                {"kind", "gear press"},
                {"site", "Hall 2"},
                {"anomaly", {{"sequence", 70}, {"score", 0.93}, {"explanation", "vibration is high"}}},
                {"parts", {{{"sku", "bearing"}, {"quantity", 2}}}},
                {"skill", "mechanic"},
                {"notify", "watch-1"}};
    job.update(more);
    driver_.start({job.dump()});
  }
  json end() {
    driver_.run();
    EXPECT_EQ(driver_.replay(), "");
    return driver_.status() == "completed" ? json::parse(driver_.result()) : json();
  }
  json run(const json& more = json::object()) {
    begin(more);
    return end();
  }
  void confirm_on(const std::string& activity, const std::string& result, const std::string& word) {
    answer(activity, Outcome::result(result), [this, word] { driver_.signal("done", {word}); });
  }
  static constexpr char kAssigned[] = R"({"work_order":"WO-1","technician":{"id":"T-1","name":"Ida"}})";

  HistoryDriver driver_;
  std::map<std::string, json> heard_;
};

TEST_F(MaintenanceTest, OrdersReservesSendsAndCompletesWhenAPersonSaysSo) {
  confirm_on("erp.assign_work_order", kAssigned, R"({"by":"Ida","notes":"new bearings"})");
  const json result = run();
  EXPECT_EQ(result, json({{"reference", "m-1"},
                          {"device", "gear-1"},
                          {"outcome", "done"},
                          {"work_order", "WO-1"},
                          {"technician", "Ida"},
                          {"confirmed_by", "Ida"},
                          {"notes", "new bearings"},
                          {"compensations", json::array()}}))
      << driver_.task_failure_text();
  EXPECT_THAT(driver_.commands(), ElementsAre("activity erp.create_work_order", "activity inventory.reserve",
                                              "activity erp.assign_work_order", "activity inventory.confirm",
                                              "activity erp.complete_work_order", "signal watch-1 maintained"));
  EXPECT_EQ(heard_["erp.create_work_order"]["description"], "vibration is high");
  EXPECT_EQ(heard_["erp.assign_work_order"], json({{"reference", "m-1"}, {"skill", "mechanic"}}));
  EXPECT_EQ(heard_["inventory.reserve"]["order_id"], "m-1");
  EXPECT_EQ(heard_["erp.complete_work_order"], json({{"reference", "m-1"}, {"by", "Ida"}, {"notes", "new bearings"}}));
}

TEST_F(MaintenanceTest, NeedsNoParts) {
  confirm_on("erp.assign_work_order", kAssigned, R"({"by":"Ida"})");
  EXPECT_EQ(run({{"parts", json::array()}})["outcome"], "done");
  EXPECT_THAT(driver_.commands(), Not(Contains(HasSubstr("inventory"))));
}

TEST_F(MaintenanceTest, TellsItsState) {
  json seen;
  driver_.on_sent_signal([&](const std::string&) {
    if (seen.is_null()) seen = json::parse(driver_.query("status"));
  });
  run();
  EXPECT_EQ(seen["state"], "escalated");
  const json status = json::parse(driver_.query("status"));
  EXPECT_EQ(status["state"], "failed");
  EXPECT_EQ(status["work_order"], "WO-1");
  EXPECT_EQ(status["technician"], "Ida");
  EXPECT_EQ(status["compensations"], json({"release_parts", "cancel_work_order"}));
}

TEST_F(MaintenanceTest, MissingPartsUndoTheWorkOrder) {
  answer("inventory.reserve", Outcome::refusal("OutOfStock"));
  const json result = run();
  EXPECT_EQ(result["outcome"], "failed");
  EXPECT_THAT(result["reason"].get<std::string>(), HasSubstr("OutOfStock"));
  EXPECT_EQ(result["compensations"], json::array({"cancel_work_order"}));
  EXPECT_EQ(heard_["erp.cancel_work_order"], json({{"reference", "m-1"}, {"reason", "its parts are not there"}}));
  EXPECT_THAT(driver_.commands(), ElementsAre("activity erp.create_work_order", "activity inventory.reserve",
                                              "activity erp.cancel_work_order", "signal watch-1 maintained"));
}

TEST_F(MaintenanceTest, PartsWhoseFateIsUnknownAreReleasedToo) {
  answer("inventory.reserve", Outcome::timeout());
  answer("inventory.release", R"({"undone":false})");
  EXPECT_EQ(run()["compensations"], json::array({"cancel_work_order"})) << "what had not happened was not undone";
  EXPECT_THAT(driver_.commands(), Contains("activity inventory.release"));
}

TEST_F(MaintenanceTest, NobodyWithTheSkillUndoesInReverseOrder) {
  answer("erp.assign_work_order", Outcome::refusal("NoTechnician"));
  const json result = run();
  EXPECT_EQ(result["outcome"], "failed");
  EXPECT_EQ(result["compensations"], json({"release_parts", "cancel_work_order"}));
  EXPECT_EQ(heard_["erp.cancel_work_order"]["reason"], "no technician can do it");
}

TEST_F(MaintenanceTest, WorkOrderThatIsRefusedLeavesNothing) {
  answer("erp.create_work_order", Outcome::refusal("UnknownAsset"));
  const json result = run();
  EXPECT_EQ(result["outcome"], "failed");
  EXPECT_EQ(result["compensations"], json::array());
  EXPECT_THAT(driver_.commands(), ElementsAre("activity erp.create_work_order", "signal watch-1 maintained"));
}

TEST_F(MaintenanceTest, EscalatesAndThenGivesUpWhenNobodyComes) {
  const json result = run({{"patience", "2h"}, {"escalation_patience", "4h"}});
  EXPECT_EQ(result["outcome"], "failed");
  EXPECT_EQ(result["escalated"], true);
  EXPECT_THAT(result["reason"].get<std::string>(), HasSubstr("NobodyCame"));
  EXPECT_EQ(result["compensations"], json({"release_parts", "cancel_work_order"}));
  EXPECT_EQ(heard_["erp.cancel_work_order"]["reason"], "nobody came");
  EXPECT_THAT(driver_.commands(),
              ElementsAre("activity erp.create_work_order", "activity inventory.reserve",
                          "activity erp.assign_work_order", "timer 2h", "signal watch-1 escalated", "timer 4h",
                          "activity inventory.release", "activity erp.cancel_work_order", "signal watch-1 maintained"));
}

TEST_F(MaintenanceTest, ConfirmationAfterTheEscalationCounts) {
  driver_.on_sent_signal([this](const std::string& name) {
    if (name == "escalated") driver_.signal("done", {R"({"by":"the foreman"})"});
  });
  const json result = run();
  EXPECT_EQ(result["outcome"], "done");
  EXPECT_EQ(result["escalated"], true);
  EXPECT_EQ(result["confirmed_by"], "the foreman");
}

TEST_F(MaintenanceTest, ConfirmationWithoutANameDoesNotCount) {
  answer("erp.assign_work_order", Outcome::result(kAssigned), [this] {
    driver_.signal("done", {R"({"notes":"fixed, honestly"})"});
    driver_.signal("done", {R"("Ida")"});
    driver_.signal("done", {R"({"by":""})"});
  });
  EXPECT_EQ(run()["outcome"], "failed") << "nobody in particular came";
  EXPECT_THAT(driver_.log(), Contains(HasSubstr("does not count")));
}

TEST_F(MaintenanceTest, NameAfterANamelessConfirmationCounts) {
  answer("erp.assign_work_order", Outcome::result(kAssigned), [this] {
    driver_.signal("done", {R"({"notes":"fixed"})"});
    driver_.signal("done", {R"({"by":"Bo"})"});
  });
  EXPECT_EQ(run()["confirmed_by"], "Bo");
}

TEST_F(MaintenanceTest, ConfirmationThatComesBeforeItIsWaitedForCounts) {
  begin();
  driver_.signal("done", {R"({"by":"Bo"})"});
  EXPECT_EQ(end()["confirmed_by"], "Bo");
}

TEST_F(MaintenanceTest, CancellingUndoesWhatWasBegun) {
  answer("erp.assign_work_order", Outcome::result(kAssigned), [this] { driver_.signal("cancel", {R"("scrapped")"}); });
  const json result = run();
  EXPECT_EQ(result["outcome"], "cancelled");
  EXPECT_THAT(result["reason"].get<std::string>(), HasSubstr("scrapped"));
  EXPECT_EQ(result["compensations"], json({"release_parts", "cancel_work_order"}));
}

TEST_F(MaintenanceTest, CancellingAMendedMachineComesTooLate) {
  confirm_on("erp.assign_work_order", kAssigned, R"({"by":"Ida"})");
  answer("inventory.confirm", Outcome::result("{}"), [this] { driver_.signal("cancel", {R"("scrapped")"}); });
  EXPECT_EQ(run()["outcome"], "done");
}

TEST_F(MaintenanceTest, FinishesHoweverLongAPartnerIsAway) {
  confirm_on("erp.assign_work_order", kAssigned, R"({"by":"Ida"})");
  EXPECT_EQ(run()["outcome"], "done");
  for (const auto& event : driver_.history().events()) {
    const auto& scheduled = event.activity_task_scheduled_event_attributes();
    const std::string& type = scheduled.activity_type().name();
    if (type == "inventory.confirm" || type == "erp.complete_work_order") {
      EXPECT_EQ(scheduled.schedule_to_close_timeout().seconds(), 0) << type;
    }
  }
}

TEST_F(MaintenanceTest, MendedMachinesWorkOrderIsNotCancelled) {
  confirm_on("erp.assign_work_order", kAssigned, R"({"by":"Ida"})");
  answer("erp.complete_work_order", Outcome::timeout());
  const json result = run();
  EXPECT_EQ(result["outcome"], "done");
  EXPECT_EQ(result["compensations"], json::array());
  EXPECT_EQ(result["unfinished"][0]["step"], "erp.complete_work_order");
  EXPECT_THAT(driver_.commands(), Not(Contains("activity inventory.release")));
  EXPECT_THAT(driver_.commands(), Not(Contains("activity erp.cancel_work_order")));
}

TEST_F(MaintenanceTest, PartsThatAreUsedAreNotReleased) {
  confirm_on("erp.assign_work_order", kAssigned, R"({"by":"Ida"})");
  answer("inventory.confirm", Outcome::refusal("Rejected"));
  const json result = run();
  EXPECT_EQ(result["outcome"], "done");
  EXPECT_EQ(result["unfinished"][0]["error"], "Rejected: no");
  EXPECT_THAT(driver_.commands(), Contains("activity erp.complete_work_order")) << "the one does not hold up the other";
  EXPECT_THAT(driver_.commands(), Not(Contains("activity inventory.release")));
}

TEST_F(MaintenanceTest, CompensationThatFailsFailsTheMaintenance) {
  answer("inventory.reserve", Outcome::refusal("OutOfStock"));
  answer("erp.cancel_work_order", Outcome::refusal("Forbidden"));
  run();
  EXPECT_EQ(driver_.status(), "failed") << driver_.task_failure_text();
  EXPECT_EQ(driver_.failure().application_failure_info().type(), "CompensationFailed");
}

TEST_F(MaintenanceTest, RefusesAJobWithoutADevice) {
  driver_.start({"{}"});
  driver_.run();
  EXPECT_EQ(driver_.status(), "failed") << driver_.task_failure_text();
  EXPECT_EQ(driver_.failure().application_failure_info().type(), "InvalidInput");
}

TEST_F(MaintenanceTest, TellsNobodyWhenNobodyAsked) {
  confirm_on("erp.assign_work_order", kAssigned, R"({"by":"Ida"})");
  EXPECT_EQ(run({{"notify", nullptr}})["outcome"], "done");
  EXPECT_THAT(driver_.commands(), Not(Contains(HasSubstr("signal"))));
}

}  // namespace
}  // namespace skald::lua::testing
