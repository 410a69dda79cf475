#include <map>

#include <gmock/gmock.h>

#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {
namespace {

using testing::HasSubstr;

class PluginHostTest : public HostTest {};

TEST_F(PluginHostTest, ExceptionIsAFailureWithItsClassAndText) {
  load_fixture("faulty");
  const Failure failed = failure(Task{"faulty.throw"});
  EXPECT_EQ(failed.application_failure_info().type(), "std::out_of_range");
  EXPECT_EQ(failed.message(), "shelf 7 is not there");
  EXPECT_FALSE(failed.application_failure_info().non_retryable());
  EXPECT_EQ(failure(Task{"faulty.throw_number"}).application_failure_info().type(), "int");
  EXPECT_EQ(result({"faulty.echo", 1}), 1) << "the host lives";
}

TEST_F(PluginHostTest, ActivityErrorKeepsTypeDetailsAndFinality) {
  load_fixture("faulty");
  const Failure failed = failure(Task{"faulty.refuse"});
  const auto& info = failed.application_failure_info();
  EXPECT_EQ(info.type(), "CardDeclined");
  EXPECT_TRUE(info.non_retryable());
  EXPECT_EQ(info.details().payloads(0).data(), R"({"card":"1234"})");
}

TEST_F(PluginHostTest, ExceptionAcrossTheInterfaceIsAFailure) {
  load_fixture("raw");
  const Failure failed = failure(Task{"raw.throw"});
  EXPECT_EQ(failed.application_failure_info().type(), "std::logic_error");
  EXPECT_EQ(failed.message(), "an exception crosses the interface");
}

TEST_F(PluginHostTest, OnlyTheFirstAnswerCounts) {
  load_fixture("raw");
  EXPECT_EQ(result({"raw.answer_twice"}), 1);
  EXPECT_EQ(result({"raw.answer_and_throw"}), 1);
}

TEST_F(PluginHostTest, ResultThatIsNotJsonIsAFailure) {
  add(TEST_PLUGINS_FOLDER, "raw");
  load_fixture("faulty");
  EXPECT_EQ(error({"raw.no_json"}), "InvalidResult");
  EXPECT_EQ(error({"faulty.not_text"}), "InvalidResult");
}

TEST_F(PluginHostTest, UnknownActivityIsAFailureThatNamesTheKnown) {
  load_fixture("faulty");
  const Failure failed = failure(Task{"faulty.fly"});
  EXPECT_EQ(failed.application_failure_info().type(), "NotFoundError");
  EXPECT_FALSE(failed.application_failure_info().non_retryable()) << "its next version may have it";
  EXPECT_THAT(failed.message(), HasSubstr("faulty.echo"));
}

TEST_F(PluginHostTest, ActivityKnowsWhoItWorksFor) {
  load_fixture("faulty");
  EXPECT_EQ(result({.type = "faulty.who", .attempt = 3, .ns = "shop", .workflow = "order-1", .activity_id = "7"}),
            json({{"namespace", "shop"},
                  {"workflow_id", "order-1"},
                  {"run_id", "run-of-order-1"},
                  {"activity_id", "7"},
                  {"attempt", 3},
                  {"key", "run-of-order-1/7"}}));
}

TEST_F(PluginHostTest, ServersWishToCancelReachesTheActivityByItsHeartbeat) {
  load_fixture("faulty");
  auto answer = start({"faulty.beat"}, [](const auto&, const std::function<void()>& cancel) { cancel(); });
  EXPECT_TRUE(std::holds_alternative<worker::ActivityCancelled>(answer.get()));
  EXPECT_EQ(host_->meters()["faulty.beat"].cancelled, 1);
}

TEST_F(PluginHostTest, StoppingUnaskedIsAFailure) {
  load_fixture("faulty");
  EXPECT_EQ(error({"faulty.stop_unasked"}), "NotCancelled");
}

TEST_F(PluginHostTest, ManyHeartbeatsAreFewRequestsAndTheLastOneArrives) {
  load_fixture("faulty");
  auto sent = std::make_shared<std::vector<std::string>>();
  auto answer = start({"faulty.fail_after_beats", {{"beats", 1000}}},
                      [sent](const auto& details, auto) { sent->push_back(details.payloads(0).data()); });
  EXPECT_EQ(error(answer.get()), "std::runtime_error");
  EXPECT_LT(sent->size(), 500u);
  EXPECT_EQ(sent->back(), "1000");
}

TEST_F(PluginHostTest, NextAttemptSeesTheLastHeartbeat) {
  load_fixture("faulty");
  EXPECT_EQ(result({.type = "faulty.fail_after_beats", .attempt = 2, .heartbeat_details = 1000}), 1000);
}

TEST_F(PluginHostTest, MetersCountEveryEnding) {
  load_fixture("faulty");
  run({"faulty.echo"});
  run({"faulty.throw"});
  const auto meters = host_->meters();
  EXPECT_EQ(meters.at("faulty.echo").started, 1);
  EXPECT_EQ(meters.at("faulty.echo").completed, 1);
  EXPECT_EQ(meters.at("faulty.throw").failed, 1);
}

TEST_F(PluginHostTest, FieldThatAnActivityReadsUnaskedIsNamedInASentence) {
  load_fixture("faulty");
  EXPECT_EQ(failure(Task{"faulty.read_text", json::object()}).message(), "the field name is missing");
  EXPECT_EQ(failure(Task{"faulty.read_text", {{"name", 7}}}).message(),
            "a field of the input has a wrong type: it must be string, but is number");
  for (const json& input : {json::object(), json{{"name", 7}}, json(7), json()}) {
    const Failure failed = failure(Task{"faulty.read_text", input});
    EXPECT_EQ(failed.application_failure_info().type(), "InvalidInput");
    EXPECT_THAT(failed.message(), testing::Not(testing::HasSubstr("json.exception"))) << input;
  }
}

}  // namespace
}  // namespace skald::plugins
