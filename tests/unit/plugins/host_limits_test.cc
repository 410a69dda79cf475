#include <gmock/gmock.h>

#include "plugins/host/limits.h"
#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {
namespace {

using testing::HasSubstr;

class HostLimitsTest : public HostTest {
 protected:
  void load_limited(const json& limits) {
    configure("faulty", {{"limits", limits}});
    load_fixture("faulty");
  }
};

TEST_F(HostLimitsTest, AttemptThatIgnoresItsTimeoutIsAnsweredByTheHost) {
  load_fixture("faulty");
  EXPECT_EQ(error({.type = "faulty.hang", .timeout = absl::Milliseconds(50)}), "Timeout");
  const PluginMeter meter = host_->plugin_meters()["faulty"];
  EXPECT_EQ(meter.held, 1);
  EXPECT_EQ(meter.overdue, 1);
  release_hanging();
}

TEST_F(HostLimitsTest, OverdueAttemptKeepsItsSlotUntilItReturns) {
  load_limited({{"max_concurrent_activities", 1}});
  EXPECT_EQ(error({.type = "faulty.hang", .timeout = absl::Milliseconds(50)}), "Timeout");
  const Failure refused = failure(Task{.type = "faulty.echo", .timeout = absl::Milliseconds(50)});
  EXPECT_EQ(refused.application_failure_info().type(), "PluginBusy");
  EXPECT_FALSE(refused.application_failure_info().non_retryable());
  EXPECT_THAT(refused.message(), HasSubstr("max_concurrent_activities"));
  auto waiting = start({"faulty.echo", "served"});
  release_hanging();
  EXPECT_EQ(result(waiting.get()), "served");
}

TEST_F(HostLimitsTest, OnePluginsFullSlotsDoNotHoldUpAnother) {
  add(PLUGINS_FOLDER, "logistics");
  load_limited({{"max_concurrent_activities", 1}});
  auto hanging = start({"faulty.hang"});
  EXPECT_EQ(result({"logistics.audit"})["balanced"], true);
  release_hanging();
  hanging.get();
}

TEST_F(HostLimitsTest, MoreThanTheRateWaits) {
  load_limited({{"max_activities_per_second", 0.01}});
  EXPECT_EQ(result({"faulty.echo", 1}), 1);
  EXPECT_EQ(error({.type = "faulty.echo", .timeout = absl::Milliseconds(50)}), "PluginBusy");
}

TEST_F(HostLimitsTest, InputAboveItsLimitIsNotRetried) {
  load_limited({{"max_input_bytes", 100}});
  EXPECT_EQ(result({"faulty.echo", std::string(98, 'x')}), std::string(98, 'x'));
  const Failure refused = failure(Task{"faulty.echo", std::string(99, 'x')});
  EXPECT_EQ(refused.application_failure_info().type(), "InputTooLarge");
  EXPECT_TRUE(refused.application_failure_info().non_retryable());
}

TEST_F(HostLimitsTest, OutputAboveItsLimitIsNotRetried) {
  load_limited({{"max_output_bytes", 100}});
  EXPECT_EQ(result({"faulty.large", {{"bytes", 98}}}), std::string(98, 'x'));
  const Failure refused = failure(Task{"faulty.large", {{"bytes", 99}}});
  EXPECT_EQ(refused.application_failure_info().type(), "OutputTooLarge");
  EXPECT_TRUE(refused.application_failure_info().non_retryable());
}

TEST(RateGateTest, SpacesEventsEvenly) {
  RateGate gate(10);
  const absl::Time start = absl::UnixEpoch();
  EXPECT_TRUE(gate.take(start));
  EXPECT_TRUE(gate.take(start)) << "a tenth of a second is made up for";
  EXPECT_FALSE(gate.take(start));
  EXPECT_EQ(gate.opens(), start + absl::Milliseconds(100));
  EXPECT_TRUE(gate.take(start + absl::Milliseconds(100)));
  EXPECT_FALSE(gate.take(start + absl::Milliseconds(199)));
}

TEST(RateGateTest, DoesNotSaveUpALongRest) {
  RateGate gate(10);
  gate.take(absl::UnixEpoch());
  const absl::Time later = absl::UnixEpoch() + absl::Hours(1);
  EXPECT_TRUE(gate.take(later));
  EXPECT_TRUE(gate.take(later));
  EXPECT_FALSE(gate.take(later));
}

TEST(RateGateTest, IsOpenWithoutARate) {
  RateGate gate(0);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(gate.take(absl::UnixEpoch()));
}

TEST(PluginLimitsTest, SayWhatIsWrong) {
  const auto problem = [](const json& limits) {
    return std::string(parse_limits({{"limits", limits}}).status().message());
  };
  EXPECT_THAT(problem({{"max_concurrent_activities", 0}}), HasSubstr("limits.max_concurrent_activities must be"));
  EXPECT_THAT(problem({{"max_activities_per_second", "many"}}), HasSubstr("must be a number"));
  EXPECT_THAT(problem({{"max_threads", 3}}), HasSubstr("limits.max_threads is not known"));
  EXPECT_THAT(problem(3), HasSubstr("must be a JSON object"));
  EXPECT_FALSE(parse_limits(json::array()).ok());
}

}  // namespace
}  // namespace skald::plugins
