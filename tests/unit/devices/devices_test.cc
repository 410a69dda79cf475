#include <dlfcn.h>
#include <gmock/gmock.h>

#include "plugins/sdk/skald_plugin.h"
#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class DevicesTest : public HostTest {
 protected:
  DevicesTest() {
    configure("devices", {{"baseline", 8}, {"recent", 4}, {"furthest_ahead", 1000}});
    load_product("devices");
    add_device("gear-1");
  }

  json call(const std::string& activity, json input) { return result(Task{"devices." + activity, std::move(input)}); }
  std::string refusal(const std::string& activity, json input) {
    const Outcome outcome = run({"devices." + activity, std::move(input)});
    if (!error(outcome).empty()) {
      EXPECT_TRUE(failure(outcome).application_failure_info().non_retryable());
    }
    return error(outcome);
  }
  void add_device(const std::string& device, int64_t first = 1) {
    call("register", {{"device", device}, {"kind", "press"}, {"site", "Hall 1"}, {"first_sequence", first}});
  }
  json one(int64_t sequence, double vibration = 1.0, const std::string& device = "gear-1") {
    return {{"device", device},
            {"sequence", sequence},
            {"at", "2026-07-01T00:00:" + std::to_string(sequence)},
            {"readings", {{"vibration", vibration}, {"heat", 60 + static_cast<double>(sequence % 3)}}},
            {"delivery", std::to_string(++deliveries_)}};
  }
  json report(int64_t sequence, double vibration = 1.0) { return call("report", one(sequence, vibration)); }
  // Eight usual reports: what is usual is known then.
  void learn() {
    for (int64_t sequence = 1; sequence <= 8; ++sequence)
      report(sequence, 1.0 + 0.01 * static_cast<double>(sequence % 4));
  }
  json score(json more = json::object()) {
    more["device"] = "gear-1";
    return call("score", more);
  }
  std::vector<int64_t> kept(const std::string& device = "gear-1") {
    std::vector<int64_t> sequences;
    const json page = call("history", {{"device", device}});
    for (const json& each : page["reports"]) {
      if (each["state"] != "held") sequences.push_back(each["sequence"]);
    }
    return sequences;
  }
  json audit() { return call("audit", json::object()); }

  int deliveries_ = 0;
};

TEST_F(DevicesTest, ReportsInOrderAreAppliedOneByOne) {
  for (int64_t sequence = 1; sequence <= 3; ++sequence) {
    const json taken = report(sequence);
    EXPECT_EQ(taken["state"], "applied");
    EXPECT_EQ(taken["applied"], 1);
    EXPECT_EQ(taken["next"], sequence + 1);
    EXPECT_EQ(taken["missing"], json::array());
  }
  EXPECT_THAT(kept(), ElementsAre(1, 2, 3));
  EXPECT_EQ(audit()["balanced"], true);
}

TEST_F(DevicesTest, ReportBeforeItsTurnIsHeldAndTheGapIsNamed) {
  report(1);
  report(4);
  const json taken = report(7);
  EXPECT_EQ(taken["state"], "held");
  EXPECT_EQ(taken["held"], 2);
  EXPECT_EQ(taken["missing"], json({{2, 3}, {5, 6}}));
  EXPECT_THAT(kept(), ElementsAre(1));
  EXPECT_EQ(call("gaps", {{"device", "gear-1"}})["missing"], json({{2, 3}, {5, 6}}));
  report(3);
  const json closing = report(2);
  EXPECT_EQ(closing["applied"], 3) << "itself and the two behind it";
  EXPECT_EQ(closing["missing"], json({{5, 6}}));
  EXPECT_THAT(kept(), ElementsAre(1, 2, 3, 4));
}

TEST_F(DevicesTest, DuplicateIsRecognisedWhereverItStands) {
  report(1);
  report(3);
  EXPECT_EQ(report(1)["state"], "duplicate");
  EXPECT_EQ(report(3)["state"], "duplicate") << "one that is held";
  const json books = audit();
  EXPECT_EQ(books["received"], 4);
  EXPECT_EQ(books["duplicates"], 2);
  EXPECT_EQ(books["balanced"], true);
}

TEST_F(DevicesTest, AttemptThatIsRepeatedIsNoDuplicate) {
  const json input = one(1);
  const json first = call("report", input);
  EXPECT_EQ(call("report", input), first);
  EXPECT_EQ(audit()["duplicates"], 0);
  EXPECT_EQ(audit()["received"], 1);
}

TEST_F(DevicesTest, AnotherReportUnderTheSameNumberIsRefused) {
  report(1, 1.0);
  EXPECT_EQ(refusal("report", one(1, 2.0)), "ReportConflict");
  EXPECT_EQ(audit()["received"], 1);
}

TEST_F(DevicesTest, EveryOrderOfArrivalEndsWithTheSameHistory) {
  std::vector<int64_t> order = {1, 2, 3, 4, 5};
  int devices = 0;
  std::vector<std::future<Outcome>> answers;
  do {
    const std::string device = "d" + std::to_string(devices++);
    answers.push_back(start({"devices.register", {{"device", device}, {"kind", "press"}, {"site", "Hall 1"}}}));
    for (size_t i = 0; i < order.size(); ++i) {
      answers.push_back(start({"devices.report", one(order[i], 1, device)}));
      answers.push_back(start({"devices.report", one(order[i / 2], 1, device)}));  // one of those before, again
    }
  } while (std::next_permutation(order.begin(), order.end()));
  for (auto& answer : answers) ASSERT_EQ(error(answer.get()), "");
  for (int i = 0; i < devices; ++i) EXPECT_THAT(kept("d" + std::to_string(i)), ElementsAre(1, 2, 3, 4, 5));
  const json books = audit();
  EXPECT_EQ(books["balanced"], true) << books;
  EXPECT_EQ(books["applied"], devices * 5);
  EXPECT_EQ(books["duplicates"], devices * 5);
  EXPECT_EQ(books["held"], 0);
}

TEST_F(DevicesTest, WhatIsGivenUpIsLostUntilItComesAfterAll) {
  report(1);
  report(4);
  report(7);
  const json through = {{"device", "gear-1"}, {"through", 3}};
  json given_up = call("give_up", through);
  EXPECT_EQ(given_up["given_up"], 2);
  EXPECT_EQ(given_up["next"], 5);
  EXPECT_EQ(call("give_up", through), given_up) << "repeated";
  EXPECT_EQ(audit()["lost"], 2);
  EXPECT_EQ(report(2)["state"], "late");
  EXPECT_EQ(report(2)["state"], "duplicate");
  EXPECT_THAT(kept(), ElementsAre(1, 2, 4)) << "sorted in";
  const json books = audit();
  EXPECT_EQ(books["lost"], 1);
  EXPECT_EQ(books["late"], 1);
  EXPECT_EQ(books["balanced"], true) << books;
}

TEST_F(DevicesTest, GivesUpNoMoreThanIsMissing) {
  report(1);
  EXPECT_EQ(call("give_up", {{"device", "gear-1"}, {"through", 100}})["given_up"], 0);
  report(3);
  EXPECT_EQ(call("give_up", {{"device", "gear-1"}, {"through", 200}})["next"], 4);
}

TEST_F(DevicesTest, PartOfAGapMayBeGivenUp) {
  report(5);
  const json given_up = call("give_up", {{"device", "gear-1"}, {"through", 2}});
  EXPECT_EQ(given_up["given_up"], 2);
  EXPECT_EQ(given_up["missing"], json({{3, 4}}));
  EXPECT_EQ(audit()["balanced"], true);
}

TEST_F(DevicesTest, FirstNumberNeedNotBeOne) {
  add_device("gear-2", 100);
  EXPECT_EQ(call("report", one(100, 1, "gear-2"))["state"], "applied");
  EXPECT_EQ(refusal("report", one(99, 1, "gear-2")), "SequenceTooOld");
  EXPECT_EQ(audit()["balanced"], true);
}

TEST_F(DevicesTest, NumberFarAheadIsRefused) {
  EXPECT_EQ(report(1001)["state"], "held");
  EXPECT_EQ(refusal("report", one(1002)), "SequenceTooFar");
}

TEST_F(DevicesTest, LearnsWhatIsUsualBeforeItScores) {
  report(1);
  const json learning = score();
  EXPECT_EQ(learning["learning"], true);
  EXPECT_EQ(learning["score"], 0);
  EXPECT_THAT(learning["explanation"].get<std::string>(), HasSubstr("1 of 8 reports"));
  learn();
  EXPECT_EQ(score()["learning"], false);
  EXPECT_EQ(score()["scored"], 0) << "the baseline itself is not scored";
}

TEST_F(DevicesTest, SpikeScoresHighAndIsExplained) {
  learn();
  report(9, 1.02);
  EXPECT_LT(score()["score"], 0.5);
  report(10, 3.0);
  const json spike = score();
  EXPECT_GT(spike["score"], 0.8);
  EXPECT_LE(spike["score"], 1.0);
  EXPECT_EQ(spike["sequence"], 10);
  EXPECT_THAT(spike["explanation"].get<std::string>(), HasSubstr("vibration is 3"));
  EXPECT_GT(spike["readings"]["vibration"]["score"], 0.8);
  EXPECT_LT(spike["readings"]["heat"]["score"], 0.5);
  EXPECT_THAT(spike["readings"]["heat"]["explanation"].get<std::string>(), HasSubstr("as usual"));
}

TEST_F(DevicesTest, HighestScoreOfSeveralReportsCounts) {
  learn();
  report(9, 1.02);
  report(10, 3.0);
  report(11, 1.01);
  EXPECT_LT(score()["score"], 0.5) << "the newest alone";
  const json highest = score({{"from", 9}});
  EXPECT_EQ(highest["scored"], 3);
  EXPECT_EQ(highest["sequence"], 10);
}

TEST_F(DevicesTest, ScoresAThousandReportsAtATime) {
  learn();
  std::vector<std::future<Outcome>> answers;
  for (int64_t sequence = 9; sequence <= 1010; ++sequence) answers.push_back(start({"devices.report", one(sequence)}));
  for (auto& answer : answers) ASSERT_EQ(error(answer.get()), "");
  EXPECT_EQ(score({{"from", 9}})["through"], 1008);
  const json rest = score({{"from", 1009}});
  EXPECT_EQ(rest["scored"], 2);
  EXPECT_EQ(rest["through"], 1010);
}

TEST_F(DevicesTest, DriftScoresHigh) {
  learn();
  for (int64_t i = 0; i < 8; ++i) report(9 + i, 1.015 + 0.01 * static_cast<double>(i));
  const json drifted = score();
  EXPECT_GT(drifted["score"], 0.5);
  EXPECT_THAT(drifted["readings"]["vibration"]["drift"].get<double>(), testing::Gt(3.5));
}

TEST_F(DevicesTest, WhatIsHeldIsNotScored) {
  learn();
  report(10, 3.0);
  EXPECT_EQ(score({{"from", 9}})["scored"], 0);
  report(9);
  EXPECT_EQ(score({{"from", 9}})["scored"], 2);
}

TEST_F(DevicesTest, RecalibratingLearnsAnew) {
  learn();
  report(9, 3.0);
  const json again = {{"device", "gear-1"}, {"reference", "m-1"}};
  EXPECT_EQ(call("recalibrate", again)["usual_from"], 10);
  EXPECT_EQ(score()["learning"], true);
  for (int64_t sequence = 10; sequence <= 18; ++sequence)
    report(sequence, 3.0 + 0.01 * static_cast<double>(sequence % 4));
  EXPECT_EQ(call("recalibrate", again)["usual_from"], 10) << "repeated";
  EXPECT_LT(score()["score"], 0.5) << "that is usual now";
}

TEST_F(DevicesTest, EachSettingSaysWhatItIsAndItsDefault) {
  void* const library = dlopen((folder_ + "/devices.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  const auto entry = reinterpret_cast<const skald_plugin* (*)()>(dlsym(library, "skald_plugin_entry"));
  const json properties = json::parse(entry()->config_schema)["properties"];
  for (const char* key : {"baseline", "recent", "threshold", "least_spread", "furthest_ahead"}) {
    EXPECT_TRUE(properties[key].contains("default")) << key;
    EXPECT_TRUE(properties[key].contains("description")) << key;
  }
  EXPECT_EQ(properties["baseline"]["default"], 48);
}

TEST_F(DevicesTest, HistoryComesByPages) {
  for (int64_t sequence = 1; sequence <= 5; ++sequence) report(sequence);
  const json page = call("history", {{"device", "gear-1"}, {"limit", 3}});
  EXPECT_EQ(page["reports"].size(), 3u);
  EXPECT_EQ(page["next"], 3);
  EXPECT_EQ(page["reports"][0]["readings"]["heat"], 61.0);
  const json rest = call("history", {{"device", "gear-1"}, {"limit", 3}, {"after", page["next"]}});
  EXPECT_EQ(rest["reports"][0]["sequence"], 4);
  EXPECT_EQ(rest["next"], nullptr);
}

TEST_F(DevicesTest, RegisteringAgainIsTheSameDeviceOrRefused) {
  Task again{"devices.register", {{"device", "gear-1"}, {"kind", "press"}, {"site", "Hall 1"}}};
  again.workflow = "w2";
  EXPECT_EQ(error(again), "");
  again.workflow = "w3";
  again.input["site"] = "Hall 2";
  EXPECT_EQ(error(again), "DeviceConflict");
}

TEST_F(DevicesTest, WhatIsNoReportIsRefused) {
  EXPECT_EQ(refusal("report", one(1, 1, "nobody")), "DeviceUnknown");
  json input = one(1);
  input["readings"] = {{"heat", "hot"}};
  EXPECT_EQ(refusal("report", input), "InvalidInput");
  input["readings"] = json::object();
  EXPECT_EQ(refusal("report", input), "InvalidInput");
  input = one(0);
  EXPECT_EQ(refusal("report", input), "InvalidInput");
  input = one(1);
  input.erase("at");
  EXPECT_EQ(refusal("report", input), "InvalidInput");
  EXPECT_EQ(refusal("score", {{"device", "nobody"}}), "DeviceUnknown");
  EXPECT_EQ(audit()["received"], 0);
}

TEST_F(DevicesTest, NamespacesHaveTheirOwnDevices) {
  Task elsewhere{.type = "devices.report", .input = one(1), .ns = "elsewhere"};
  EXPECT_EQ(error(elsewhere), "DeviceUnknown");
}

TEST_F(DevicesTest, KnowsEverythingAfterARestart) {
  learn();
  report(10, 3.0);
  load();
  EXPECT_EQ(report(10, 3.0)["state"], "duplicate");
  EXPECT_EQ(report(9)["applied"], 2);
  EXPECT_EQ(audit()["balanced"], true);
}

TEST_F(DevicesTest, ConfigurationIsChecked) {
  configure("devices", {{"baseline", 2}});
  load();
  EXPECT_EQ(error({"devices.audit"}), "NotFoundError") << "the plugin is not loaded";
}

}  // namespace
}  // namespace skald::plugins
