#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// What a plugin tells of its secret, with and without a process of its own.
class SecretLeaksTest : public HostTest, public testing::WithParamInterface<const char*> {
 protected:
  SecretLeaksTest() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
    add(TEST_PLUGINS_FOLDER, "leaky");
    std::ofstream(folder_ + "/key") << kSecret << "\n";
  }
  ~SecretLeaksTest() override {
    host_.reset();
    spdlog::set_default_logger(before_);
  }

  void load_leaky(bool refuse) {
    configure("leaky", {{"key", "file:key"}, {"refuse", refuse}, {"isolation", GetParam()}});
    load();
  }
  static testing::Matcher<std::string> blanked() { return AllOf(HasSubstr("***"), Not(HasSubstr("hop&pole"))); }

  static constexpr char kSecret[] = "hop&pole \"7\"";
  std::ostringstream log_;
  const std::shared_ptr<spdlog::logger> before_;
};

TEST_P(SecretLeaksTest, ResultsHeartbeatsAndLogsDoNotTellASecret) {
  load_leaky(false);
  std::string beat;
  auto answer = start({"leaky.complete"}, [&](const auto& details, auto) { beat = details.payloads(0).data(); });
  EXPECT_EQ(result(answer.get()), json({{"key", "***"}}));
  EXPECT_EQ(beat, R"({"key":"***"})");
  host_.reset();
  EXPECT_THAT(log_.str(), blanked());
}

TEST_P(SecretLeaksTest, FailuresDoNotTellASecret) {
  load_leaky(false);
  const Failure failed = failure(Task{"leaky.fail"});
  EXPECT_EQ(failed.application_failure_info().type(), "Wrong***");
  EXPECT_EQ(failed.message(), R"(sent {"key":"***"})");
  EXPECT_EQ(failed.application_failure_info().details().payloads(0).data(), R"({"key":"***"})");
}

TEST_P(SecretLeaksTest, LogDoesNotTellASecretOfSeveralLines) {
  std::ofstream(folder_ + "/key") << "first of three\nsecond of three\nthird of three\n";
  load_leaky(false);
  run({"leaky.complete"});
  host_.reset();
  EXPECT_THAT(log_.str(), AllOf(HasSubstr("***"), Not(HasSubstr("of three"))));
}

TEST_P(SecretLeaksTest, ReasonNotToStartDoesNotTellASecret) {
  load_leaky(true);
  EXPECT_THAT(host_->problems(), testing::ElementsAre(AllOf(HasSubstr("the key *** is wrong"), blanked())));
}

INSTANTIATE_TEST_SUITE_P(, SecretLeaksTest, testing::Values("none", "process"));

}  // namespace
}  // namespace skald::plugins
