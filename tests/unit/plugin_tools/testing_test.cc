#include "plugins/sdk/testing.h"

#include <dlfcn.h>
#include <gmock/gmock.h>

namespace skald::plugin::testing {
namespace {

const skald_plugin* shop() {
  void* const library = dlopen(TOOLS_FOLDER "/shop.so", RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<skald_plugin_entry_fn>(dlsym(library, "skald_plugin_entry"))();
}

class TestHostTest : public ::testing::Test {
 protected:
  TestHost host_{shop(), {{"url", "http://partner"}}};
};

TEST_F(TestHostTest, GivesResultsAndFailures) {
  EXPECT_EQ(host_.result({.activity = "url"}), "http://partner");
  const Answer refused = host_.run({.activity = "try", .input = {{"refuse", true}}});
  EXPECT_EQ(refused.kind, Answer::Kind::kFailed);
  EXPECT_EQ(refused.error, "Refused");
  EXPECT_EQ(refused.details, json({{"why", "tired"}}));
  EXPECT_TRUE(refused.non_retryable);
  EXPECT_THROW(host_.result({.activity = "try", .input = {{"refuse", true}}}), std::runtime_error);
}

TEST_F(TestHostTest, AttemptsHaveNumbersAndHeartbeats) {
  const auto first = host_.start({.activity = "try", .input = {{"failures", 1}}});
  EXPECT_EQ(first->wait_heartbeat(0), json({{"attempt", 1}}));
  EXPECT_EQ(first->wait().next_retry_delay, std::chrono::milliseconds(1));
  EXPECT_EQ(first->wait_heartbeat(1), nullptr);
  const json second = host_.result(
      {.activity = "try", .input = {{"failures", 1}}, .number = 2, .heartbeat_details = first->heartbeats()[0]});
  EXPECT_EQ(second, json({{"attempt", 2}, {"before", {{"attempt", 1}}}}));
}

TEST_F(TestHostTest, BooksOutliveARestartAndNotTheHost) {
  host_.run({.activity = "sell", .input = {{"order", "1"}}});
  host_.restart();
  EXPECT_EQ(host_.result({.activity = "sales"}), json({{"sales", 1}}));
}

TEST(TestHostConfigTest, ThatDoesNotFitTheSchemaIsTold) {
  EXPECT_THROW(TestHost(shop(), {{"colour", "red"}}), std::runtime_error);
  TestHost host(shop(), {{"url", "u"}});
  EXPECT_EQ(host.result({.activity = "sales"}), json({{"sales", 0}}));
}

}  // namespace
}  // namespace skald::plugin::testing
