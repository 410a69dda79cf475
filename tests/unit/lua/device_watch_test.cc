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

// The watch of a machine as it is delivered, against a plugin whose answers the tests give.
namespace skald::lua::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class DeviceWatchTest : public ::testing::Test {
 protected:
  DeviceWatchTest() : driver_(delivered_workflow("device_watch")) {
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
