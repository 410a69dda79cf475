#include "plugins/host/limits.h"
#include "plugins/host/restart_pause.h"
#include "tests/unit/plugins/isolation_fixture.h"

namespace skald::plugins {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class IsolationLimitsTest : public IsolationHostTest {};

TEST_F(IsolationLimitsTest, AttemptThatDoesNotReturnAfterItsDeadlineEndsTheProcess) {
  load_crashing({{"hang_seconds", 1}});
  const pid_t before = process();
  auto bystander = start({"crashing.hold"});
  EXPECT_EQ(error({.type = "crashing.spin", .timeout = absl::Milliseconds(50)}), "Timeout");
  const Failure failed = failure(bystander.get());
  EXPECT_EQ(failed.application_failure_info().type(), "PluginCrashed");
  EXPECT_THAT(failed.message(), AllOf(HasSubstr("hangs: crashing.spin"), HasSubstr("limits.hang_seconds")));
  EXPECT_NE(process(), before);
}

TEST_F(IsolationLimitsTest, ProcessThatDoesNotReactIsEnded) {
  load_crashing({{"hang_seconds", 1}});
  EXPECT_THAT(crash({"crashing.freeze"}), HasSubstr("did not react for 1 s"));
  EXPECT_EQ(result({"crashing.echo", 1}), 1);
}

TEST_F(IsolationLimitsTest, ProcessThatTakesTooMuchMemoryIsEnded) {
  load_crashing({{"max_memory_mb", 500}});
  EXPECT_EQ(result({"crashing.process"})["data_limited"], true);
  EXPECT_THAT(crash({"crashing.eat", {{"mb", 100000}}}), AllOf(HasSubstr("MB of memory"), HasSubstr("is 500")));
  EXPECT_EQ(result({"crashing.echo", 1}), 1);
}

TEST_F(IsolationLimitsTest, PluginThatTakesTooMuchMemoryToStartIsAProblem) {
  add(TEST_PLUGINS_FOLDER, "crashing");
  configure("crashing", {{"isolation", "process"}, {"limits", {{"max_memory_mb", 1}}}});
  load();
  EXPECT_THAT(host_->problems(), testing::ElementsAre(AllOf(HasSubstr("MB of memory"), HasSubstr("is 1"))));
}

TEST_F(IsolationLimitsTest, MemoryFarBeyondTheLimitIsRefusedToThePluginAndCostsNothingElse) {
  load_crashing({{"max_memory_mb", 500}});
  const pid_t before = process();
  EXPECT_EQ(result({"crashing.map", {{"mb", 100}}}), "mapped");
  EXPECT_EQ(error({"crashing.map", {{"mb", 4096}}}), "NoMemory");
  EXPECT_EQ(process(), before);
}

TEST_F(IsolationLimitsTest, AttemptLastsNoLongerThanItsPluginAllows) {
  load_crashing({{"max_activity_seconds", 0.1}});
  const Failure failed = failure(Task{.type = "crashing.hold", .timeout = absl::Hours(1)});
  EXPECT_EQ(failed.application_failure_info().type(), "ActivityTooLong");
  EXPECT_FALSE(failed.application_failure_info().non_retryable());
  EXPECT_THAT(failed.message(), HasSubstr("limits.max_activity_seconds = 0.1"));
}

TEST_F(IsolationLimitsTest, AttemptLastsNoLongerWithoutIsolationEither) {
  configure("faulty", {{"limits", {{"max_activity_seconds", 0.1}}}});
  load_fixture("faulty");
  EXPECT_EQ(error({.type = "faulty.beat", .timeout = absl::Hours(1)}), "ActivityTooLong");
}

TEST_F(IsolationLimitsTest, ShorterTimeoutIsStillATimeout) {
  load_crashing({{"max_activity_seconds", 3600}});
  EXPECT_EQ(error({.type = "crashing.hold", .timeout = absl::Milliseconds(50)}), "Timeout");
}

TEST(RestartPauseTest, GrowsOnlyWhileNothingIsCompleted) {
  RestartPause pause;
  EXPECT_EQ(pause.after_crash(false), absl::ZeroDuration());
  EXPECT_EQ(pause.after_crash(false), absl::Milliseconds(100));
  EXPECT_EQ(pause.after_crash(false), absl::Milliseconds(200));
  EXPECT_EQ(pause.after_crash(true), absl::ZeroDuration());
  EXPECT_EQ(pause.after_crash(false), absl::Milliseconds(100));
  for (int i = 0; i < 100; ++i) pause.after_crash(false);
  EXPECT_EQ(pause.after_crash(false), absl::Seconds(30));
}

TEST(IsolationSettingsTest, SayWhatIsWrong) {
  const auto problem = [](const json& config) { return std::string(parse_limits(config).status().message()); };
  EXPECT_THAT(problem({{"isolation", "thread"}}), HasSubstr("isolation must be"));
  EXPECT_THAT(problem({{"limits", {{"max_memory_mb", 100}}}}), HasSubstr("needs \"isolation\": \"process\""));
  EXPECT_THAT(problem({{"limits", {{"hang_seconds", 1}}}}), HasSubstr("needs \"isolation\": \"process\""));
  EXPECT_THAT(problem({{"limits", {{"max_activity_seconds", 0}}}}), HasSubstr("seconds above zero"));
  EXPECT_THAT(problem({{"drain_seconds", -1}}), HasSubstr("drain_seconds must be"));
}

}  // namespace
}  // namespace skald::plugins
