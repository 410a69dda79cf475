#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/lua/history_driver.h"

// The gear maker's workflows as they are delivered, against partners whose answers the tests give.
namespace skald::lua::testing {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string file(const std::string& name) {
  std::ifstream in(std::string(WORKFLOWS_FOLDER) + "/" + name + ".lua");
  return {std::istreambuf_iterator<char>(in), {}};
}

class MaintenanceTest : public ::testing::Test {
 protected:
  MaintenanceTest() : driver_(file("maintenance")) {
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

class DeviceWatchTest : public ::testing::Test {
 protected:
  DeviceWatchTest() : driver_(file("device_watch")) {
    on("devices.register", [](const json&) { return json{{"device", "gear-1"}}; });
    on("devices.report", [](const json&) { return json{{"state", "applied"}}; });
    on("devices.score", [this](const json& input) {
      json verdict = {{"score", 0.1}, {"learning", false},        {"scored", 1},
                      {"held", 0},    {"missing", json::array()}, {"explanation", "as usual"}};
      verdict["sequence"] = input["from"];
      verdict["next"] = input["from"].get<int64_t>() + 1;
      if (!verdicts_.empty()) verdict.update(verdicts_.front());
      if (!verdicts_.empty()) verdicts_.erase(verdicts_.begin());
      return verdict;
    });
    on("devices.recalibrate", [](const json&) { return json{{"usual_from", 9}}; });
    on("devices.give_up", [](const json&) { return json{{"given_up", 2}}; });
  }

  void on(const std::string& type, std::function<json(const json&)> answer) {
    driver_.on_activity(type, [this, type, answer](const auto& arguments) {
      heard_[type].push_back(json::parse(arguments.at(0)));
      return Outcome::result(answer(heard_[type].back()).dump());
    });
  }
  void begin(const json& more = json::object()) {
    json watch = {{"device", "gear-1"}, {"kind", "gear press"}, {"site", "Hall 2"}};
    watch.update(more);
    driver_.start({watch.dump()});
  }
  void report(int64_t sequence) { driver_.signal("readings", {one(sequence).dump()}); }
  static json one(int64_t sequence) {
    return {{"sequence", sequence}, {"at", "2026-07-01T00:00:00Z"}, {"readings", {{"vibration", 1.5}}}};
  }
  void once_started(std::function<void()> then) {
    driver_.on_child("maintenance", [this, then](const auto& arguments) {
      const json job = json::parse(arguments.at(0));
      if (std::find(maintenances_.begin(), maintenances_.end(), job) == maintenances_.end()) {
        maintenances_.push_back(job);
        then();
      }
      return Outcome::silence();
    });
  }
  json status() { return json::parse(driver_.query("status")); }
  // Until nothing happens any more: a maintenance that has started may have something to tell.
  void play() {
    size_t told;
    do {
      told = maintenances_.size();
      driver_.run();
      driver_.run();
    } while (told != maintenances_.size());
  }
  // Stops the watch, unless it ended before.
  json stop() {
    play();
    driver_.signal("stop");
    driver_.run();
    EXPECT_EQ(driver_.replay(), "");
    return driver_.status() == "completed" ? json::parse(driver_.result()) : json();
  }
  int started(const std::string& command) const {
    const auto commands = driver_.commands();
    return static_cast<int>(std::count(commands.begin(), commands.end(), command));
  }

  HistoryDriver driver_;
  std::map<std::string, std::vector<json>> heard_;
  std::vector<json> verdicts_;  // what the next scores say
  std::vector<json> maintenances_;
};

TEST_F(DeviceWatchTest, RegistersAndKeepsEveryReport) {
  begin({{"first_sequence", 5}});
  driver_.signal("readings", {json{one(5), one(6)}.dump()});
  report(7);
  const json result = stop();
  EXPECT_EQ(result["taken"], 3) << driver_.task_failure_text();
  EXPECT_EQ(result["maintenances"], 0);
  EXPECT_EQ(
      heard_["devices.register"],
      (std::vector<json>{{{"device", "gear-1"}, {"kind", "gear press"}, {"site", "Hall 2"}, {"first_sequence", 5}}}));
  EXPECT_EQ(heard_["devices.report"][1]["sequence"], 6);
  EXPECT_EQ(heard_["devices.score"].size(), 2u) << "one for each signal";
}

TEST_F(DeviceWatchTest, EachDeliveryHasANumberOfItsOwn) {
  on("devices.report", [this](const json&) {
    return json{{"state", heard_["devices.report"].size() == 1 ? "applied" : "duplicate"}};
  });
  begin();
  report(1);
  report(1);
  const json result = stop();
  EXPECT_EQ(result["taken"], 2);
  EXPECT_EQ(result["duplicates"], 1);
  EXPECT_NE(heard_["devices.report"][0]["delivery"], heard_["devices.report"][1]["delivery"]);
}

TEST_F(DeviceWatchTest, RefusedReportsHoldNobodyUp) {
  driver_.on_activity("devices.report", [](const auto& arguments) {
    return json::parse(arguments.at(0))["sequence"] == 2 ? Outcome::refusal("ReportConflict")
                                                         : Outcome::result(R"({"state":"late"})");
  });
  begin();
  driver_.signal("readings", {json{one(1), one(2), "nonsense"}.dump()});
  driver_.signal("readings", {"17"});
  play();
  EXPECT_EQ(status()["refused"], 3);
  EXPECT_EQ(status()["late"], 1);
  EXPECT_EQ(stop()["taken"], 1) << driver_.task_failure_text();
}

TEST_F(DeviceWatchTest, UnusualReadingsStartOneMaintenance) {
  verdicts_ = {{{"score", 0.9}, {"sequence", 1}, {"explanation", "hot"}}, {{"score", 0.95}}, {{"score", 0.99}}};
  once_started([] {});
  begin({{"maintenance", {{"skill", "mechanic"}, {"parts", {{{"sku", "bearing"}, {"quantity", 1}}}}}}});
  for (int i = 1; i <= 3; ++i) report(i);
  play();
  EXPECT_EQ(status()["state"], "maintenance");
  EXPECT_EQ(status()["alarm"]["explanation"], "hot");
  EXPECT_EQ(stop()["maintenances"], 1);
  EXPECT_EQ(started("child maintenance"), 1);
  ASSERT_FALSE(maintenances_.empty());
  EXPECT_EQ(maintenances_[0]["reference"], "maintenance-gear-1-1");
  EXPECT_EQ(maintenances_[0]["skill"], "mechanic");
  EXPECT_EQ(maintenances_[0]["parts"][0]["sku"], "bearing");
  EXPECT_EQ(maintenances_[0]["anomaly"]["score"], 0.9);
}

TEST_F(DeviceWatchTest, ThresholdDecides) {
  verdicts_ = {{{"score", 0.6}}};
  once_started([] {});
  begin({{"threshold", 0.7}});
  report(1);
  EXPECT_EQ(stop()["maintenances"], 0);
}

TEST_F(DeviceWatchTest, WhatIsUsualIsLearntAnewAfterAMaintenance) {
  verdicts_ = {{{"score", 0.9}, {"sequence", 1}}, {{"score", 0.1}}, {{"score", 0.9}, {"sequence", 3}}};
  once_started([this] {
    if (maintenances_.size() > 1) return;
    driver_.signal("maintained", {R"({"reference":"maintenance-gear-1-1","outcome":"done"})"});
    report(2);
    report(3);
  });
  begin();
  report(1);
  EXPECT_EQ(stop()["maintenances"], 2) << "another anomaly is another maintenance";
  EXPECT_EQ(heard_["devices.recalibrate"],
            (std::vector<json>{{{"device", "gear-1"}, {"reference", "maintenance-gear-1-1"}}}));
}

TEST_F(DeviceWatchTest, AnomalyThatNobodyMendedStaysOneUntilItIsOver) {
  verdicts_ = {
      {{"score", 0.9}, {"sequence", 1}}, {{"score", 0.92}}, {{"score", 0.2}}, {{"score", 0.9}, {"sequence", 4}}};
  once_started([this] {
    if (maintenances_.size() > 1) return;
    driver_.signal("maintained", {R"({"reference":"maintenance-gear-1-1","outcome":"failed","reason":"OutOfStock"})"});
    report(2);
  });
  begin();
  report(1);
  play();
  EXPECT_EQ(status()["state"], "unmended");
  EXPECT_EQ(status()["alarm"]["reason"], "OutOfStock");
  EXPECT_EQ(started("child maintenance"), 1) << "not twice for one anomaly";
  report(3);
  play();
  EXPECT_EQ(status()["state"], "watching");
  report(4);
  EXPECT_EQ(stop()["maintenances"], 2);
  EXPECT_THAT(heard_["devices.recalibrate"], ::testing::IsEmpty());
}

TEST_F(DeviceWatchTest, PersonMayAskForAnotherMaintenance) {
  verdicts_ = {{{"score", 0.9}, {"sequence", 1}}, {{"score", 0.9}, {"sequence", 2}}};
  once_started([this] {
    if (maintenances_.size() > 1) return;
    driver_.signal("rearm");  // too early: the maintenance is under way
    driver_.signal("maintained", {R"({"reference":"maintenance-gear-1-1","outcome":"failed"})"});
    driver_.signal("rearm");
    report(2);
  });
  begin();
  report(1);
  EXPECT_EQ(stop()["maintenances"], 2);
}

TEST_F(DeviceWatchTest, NewsOfAnotherMaintenanceIsNotHeard) {
  verdicts_ = {{{"score", 0.9}, {"sequence", 1}}};
  once_started([this] {
    driver_.signal("maintained", {R"({"reference":"maintenance-gear-1-0","outcome":"done"})"});
    driver_.signal("maintained", {"null"});
  });
  begin();
  report(1);
  play();
  EXPECT_EQ(status()["state"], "maintenance");
}

TEST_F(DeviceWatchTest, HearsThatAMaintenanceIsEscalated) {
  verdicts_ = {{{"score", 0.9}, {"sequence", 1}}};
  once_started([this] { driver_.signal("escalated", {R"({"reference":"maintenance-gear-1-1"})"}); });
  begin();
  report(1);
  play();
  EXPECT_EQ(status()["state"], "escalated");
}

TEST_F(DeviceWatchTest, NamesWhatIsMissingAndGivesItUpInTime) {
  const json gap = {{"missing", {{2, 3}}}, {"held", 1}, {"next", 2}};
  verdicts_ = {gap};
  on("devices.give_up", [this](const json&) {
    EXPECT_EQ(status()["missing"], json({{2, 3}}));
    return json{{"given_up", 2}};
  });
  begin({{"gap_patience", 90}});
  report(1);
  const json result = stop();
  EXPECT_EQ(result["lost"], 2);
  EXPECT_EQ(heard_["devices.give_up"], (std::vector<json>{{{"device", "gear-1"}, {"through", 3}}}));
  EXPECT_EQ(started("timer 1m30s"), 1);
}

TEST_F(DeviceWatchTest, GapThatClosesIsNotGivenUp) {
  verdicts_ = {{{"missing", {{2, 2}}}, {"held", 1}, {"next", 2}}, {{"next", 4}}};
  begin();
  report(1);
  report(3);
  EXPECT_EQ(stop()["lost"], 0);
  EXPECT_EQ(started("cancel timer"), 1);
}

TEST_F(DeviceWatchTest, ScoresOnWhereOneScoreEnds) {
  verdicts_ = {{{"through", 3}, {"next", 5}}, {{"next", 5}}};
  begin();
  report(1);
  stop();
  ASSERT_EQ(heard_["devices.score"].size(), 2u);
  EXPECT_EQ(heard_["devices.score"][1]["from"], 4);
}

TEST_F(DeviceWatchTest, GoesOnInANewRunWithWhatItKnows) {
  verdicts_ = {json::object(), {{"score", 0.9}, {"sequence", 2}, {"missing", {{4, 5}}}, {"next", 4}}};
  once_started([] {});
  begin({{"reports_per_run", 2}});
  report(1);
  report(2);
  driver_.run();
  ASSERT_EQ(driver_.status(), "continued") << driver_.task_failure_text();
  const json next = json::parse(driver_.result());
  EXPECT_EQ(next["memory"]["taken"], 2);
  EXPECT_EQ(next["memory"]["alarm"]["reference"], "maintenance-gear-1-2");
  EXPECT_EQ(next["memory"]["gap"]["first"], 4) << "the patience with a gap is not begun anew";
}

TEST_F(DeviceWatchTest, RunThatGoesOnRegistersNothingAnew) {
  verdicts_ = {{{"score", 0.97}}};
  begin({{"memory",
          {{"taken", 9},
           {"duplicates", 0},
           {"late", 0},
           {"refused", 0},
           {"lost", 0},
           {"deliveries", 9},
           {"maintenances", 1},
           {"scored", 8},
           {"score", 0.9},
           {"alarm", {{"reference", "maintenance-gear-1-8"}, {"state", "maintenance"}}}}}});
  report(9);
  const json result = stop();
  EXPECT_EQ(result["taken"], 10) << driver_.task_failure_text();
  EXPECT_EQ(result["maintenances"], 1) << "the anomaly is known";
  EXPECT_THAT(heard_["devices.register"], ::testing::IsEmpty());
  EXPECT_EQ(heard_["devices.score"][0]["from"], 9);
}

TEST_F(DeviceWatchTest, RefusesAWatchOfNothing) {
  driver_.start({R"({"device":"gear-1","kind":"press"})"});
  driver_.run();
  EXPECT_EQ(driver_.status(), "failed") << driver_.task_failure_text();
  EXPECT_EQ(driver_.failure().application_failure_info().type(), "InvalidInput");
  EXPECT_THAT(driver_.failure().message(), HasSubstr("site"));
}

}  // namespace
}  // namespace skald::lua::testing
