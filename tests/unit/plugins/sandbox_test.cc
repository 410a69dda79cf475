#include "plugins/sdk/sandbox.h"

#include <gmock/gmock.h>

#include "plugins/sdk/activity_error.h"
#include "tests/unit/plugins/host_fixture.h"

namespace skald::plugins {
namespace {

using plugin::Fault;
using plugin::fault_for;
using testing::HasSubstr;

Fault::Kind kind(const json& sandbox, int attempt = 1) {
  return fault_for({"payment", "charge", "pay", attempt, "key"}, {&sandbox}).kind;
}

TEST(SandboxTest, FaultNamesTheActivityTheStepOrBoth) {
  EXPECT_EQ(kind({{"charge", "fail"}}), Fault::Kind::kFail);
  EXPECT_EQ(kind({{"pay", "delay"}}), Fault::Kind::kDelay);
  EXPECT_EQ(kind({{"payment.charge", "timeout"}}), Fault::Kind::kTimeout);
  EXPECT_EQ(kind({{"reserve", "fail"}}), Fault::Kind::kNone);
  EXPECT_EQ(kind(nullptr), Fault::Kind::kNone);
}

TEST(SandboxTest, FaultsEndAfterTheirTimes) {
  const json fail = {{"charge", {{"fault", "fail"}, {"times", 2}}}};
  EXPECT_EQ(kind(fail, 2), Fault::Kind::kFail);
  EXPECT_EQ(kind(fail, 3), Fault::Kind::kNone);
  EXPECT_EQ(kind({{"charge", "fail"}}, 1000), Fault::Kind::kFail) << "without times: always";
  EXPECT_EQ(kind({{"charge", "lose_answer"}}, 2), Fault::Kind::kNone) << "an answer is lost once";
}

TEST(SandboxTest, RequestGoesBeforeTheConfiguration) {
  const json request = {{"charge", "delay"}}, config = {{"charge", "fail"}}, none;
  EXPECT_EQ(fault_for({"payment", "charge", "", 1, ""}, {&request, &config}).kind, Fault::Kind::kDelay);
  EXPECT_EQ(fault_for({"payment", "charge", "", 1, ""}, {&none, &config}).kind, Fault::Kind::kFail);
}

TEST(SandboxTest, ShareHitsSomeActivitiesAndTheSameOnesAgain) {
  const json sandbox = {{"charge", {{"fault", "fail"}, {"share", 0.25}}}};
  int hit = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto fault = [&](int attempt) {
      return fault_for({"payment", "charge", "", attempt, "run-" + std::to_string(i)}, {&sandbox}).kind;
    };
    EXPECT_EQ(fault(1), fault(2));
    hit += fault(1) == Fault::Kind::kFail;
  }
  EXPECT_GT(hit, 200);
  EXPECT_LT(hit, 300);
}

TEST(SandboxTest, NonsenseIsRefusedWithAReason) {
  const auto problem = [](const json& sandbox) -> std::string {
    try {
      plugin::check_sandbox(sandbox);
    } catch (const plugin::ActivityError& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_THAT(problem({{"charge", "explode"}}), HasSubstr("sandbox.charge: there is no fault 'explode'"));
  EXPECT_THAT(problem({{"charge", 3}}), HasSubstr("give a fault's name"));
  EXPECT_THAT(problem({{"charge", {{"fault", "fail"}, {"often", 1}}}}), HasSubstr("no field 'often'"));
  EXPECT_THAT(problem({{"charge", {{"fault", "fail"}, {"times", -1}}}}), HasSubstr("times must be a number from 0"));
  EXPECT_THAT(problem("fail"), HasSubstr("must be an object"));
}

class SandboxFaultsTest : public HostTest {
 protected:
  static json order(const json& sandbox) {
    return {{"order_id", "1"}, {"amount", 100}, {"currency", "GBP"}, {"sandbox", sandbox}};
  }
};

TEST_F(SandboxFaultsTest, FailIsFinalAndHasNoEffect) {
  load_product("payment");
  const Failure failed =
      failure(Task{"payment.charge", order({{"charge", {{"fault", "fail"}, {"type", "CardDeclined"}}}})});
  EXPECT_EQ(failed.application_failure_info().type(), "CardDeclined");
  EXPECT_TRUE(failed.application_failure_info().non_retryable());
  EXPECT_EQ(result({"payment.audit"})["payments"], 0);
}

TEST_F(SandboxFaultsTest, FailSomeTimesIsRetried) {
  load_product("payment");
  Task task{"payment.charge", order({{"pay", {{"fault", "fail"}, {"times", 2}}}})};
  for (task.attempt = 1; task.attempt <= 2; ++task.attempt)
    EXPECT_FALSE(failure(task).application_failure_info().non_retryable());
  EXPECT_EQ(result(task)["captured"], 100);
}

TEST_F(SandboxFaultsTest, DelayedActivitySucceeds) {
  load_product("payment");
  EXPECT_EQ(result({"payment.charge", order({{"pay", {{"fault", "delay"}, {"ms", 5}}}})})["captured"], 100);
}

TEST_F(SandboxFaultsTest, TimeoutHasItsEffectAndTheRetryFindsIt) {
  load_product("payment");
  Task task{.type = "payment.charge", .input = order({{"pay", "timeout"}}), .timeout = absl::Milliseconds(50)};
  EXPECT_EQ(error(task), "Timeout");
  EXPECT_EQ(result({"payment.audit"})["unresolved"], 1) << "the provider knows of it, we do not";
  task.attempt = 2;
  task.timeout = absl::Minutes(1);
  EXPECT_EQ(result(task)["captured"], 100);
  const json audit = result({"payment.audit"});
  EXPECT_EQ(pounds(audit, "captured"), 100);
  EXPECT_EQ(audit["balanced"], true);
}

TEST_F(SandboxFaultsTest, LostAnswerHasItsEffectAndTheRetryFindsIt) {
  for (const char* plugin : {"inventory", "payment", "logistics"}) add(PLUGINS_FOLDER, plugin);
  load();
  run({"inventory.load_stock", {{"items", {{{"sku", "A"}, {"quantity", 5}}}}}});
  for (const char* type : {"inventory.reserve", "payment.charge", "logistics.create_waybill"}) {
    Task task{type, order({{type, "lose_answer"}})};
    task.input["items"] = {{{"sku", "A"}, {"quantity", 1}}};
    EXPECT_EQ(error(task), "AnswerLost") << type;
    task.attempt = 2;
    EXPECT_EQ(error(task), "") << type;
  }
  EXPECT_EQ(result({"inventory.audit"})["reserved"], 1);
  EXPECT_EQ(pounds(result({"payment.audit"}), "captured"), 100);
  EXPECT_EQ(result({"logistics.audit"})["waybills"], 1);
}

TEST_F(SandboxFaultsTest, ConfigurationInjectsThemToo) {
  configure("payment", {{"sandbox", {{"charge", "fail"}}}});
  load_product("payment");
  EXPECT_EQ(error({"payment.charge", order(nullptr)}), "Rejected");
  EXPECT_EQ(error({"payment.authorize", order(nullptr)}), "");
}

TEST_F(SandboxFaultsTest, NonsenseInTheRequestIsAFinalFailure) {
  load_product("payment");
  const Failure failed = failure(Task{"payment.charge", order({{"charge", "explode"}})});
  EXPECT_EQ(failed.application_failure_info().type(), "InvalidSandbox");
  EXPECT_TRUE(failed.application_failure_info().non_retryable());
}

TEST_F(SandboxFaultsTest, PluginThatDidNotAllowThemIgnoresThem) {
  load_fixture("faulty");
  const json input = {{"sandbox", {{"echo", "fail"}}}};
  EXPECT_EQ(result({"faulty.echo", input}), input);
}

}  // namespace
}  // namespace skald::plugins
