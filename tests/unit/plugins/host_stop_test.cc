#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {
namespace {

class HostStopTest : public HostTest {};

TEST_F(HostStopTest, WaitsForWhatRuns) {
  load_fixture("faulty");
  std::vector<std::future<Outcome>> answers;
  for (int i = 0; i < 100; ++i) answers.push_back(start({"faulty.echo", i}));
  host_->stop(absl::Seconds(30));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(result(answers[static_cast<size_t>(i)].get()), i);
}

TEST_F(HostStopTest, AsksWhatRunsToStop) {
  load_fixture("faulty");
  auto beating = start({"faulty.beat"});
  host_->stop(absl::Seconds(1));
  EXPECT_EQ(error(beating.get()), "HostStopping");
  EXPECT_EQ(host_->plugin_meters()["faulty"].held, 0);
}

TEST_F(HostStopTest, LeavesBehindWhatIgnoresIt) {
  load_fixture("faulty");
  auto hanging = start({"faulty.hang"});
  host_->stop(absl::Milliseconds(50));
  const Failure failed = failure(hanging.get());
  EXPECT_EQ(failed.application_failure_info().type(), "HostStopping");
  EXPECT_FALSE(failed.application_failure_info().non_retryable());
  EXPECT_EQ(host_->plugin_meters()["faulty"].held, 1);
  host_.reset();
  release_hanging();  // its late answer finds nobody, and harms nobody
}

TEST_F(HostStopTest, AnswersWhatStillWaits) {
  configure("faulty", {{"limits", {{"max_concurrent_activities", 1}}}});
  load_fixture("faulty");
  auto hanging = start({"faulty.hang"});
  auto waiting = start({"faulty.echo"});
  host_->stop(absl::Milliseconds(50));
  EXPECT_EQ(error(waiting.get()), "HostStopping");
  release_hanging();
}

TEST_F(HostStopTest, RefusesWhatComesLater) {
  load_fixture("faulty");
  host_->stop(absl::Seconds(30));
  host_->stop(absl::Seconds(30));
  EXPECT_EQ(error({"faulty.echo"}), "HostStopping");
}

TEST_F(HostStopTest, PluginStartsAgainInANewHost) {
  load_product("inventory");
  run({"inventory.load_stock", {{"items", {{{"sku", "A"}, {"quantity", 3}}}}}});
  load();
  EXPECT_EQ(result({"inventory.audit"})["on_hand"], 3);
}

}  // namespace
}  // namespace skald::plugins
