#include <gtest/gtest.h>

#include "plugins/sdk/testing.h"

extern "C" const skald_plugin* skald_plugin_entry();

namespace {

using namespace skald::plugin::testing;

class @Name@Test : public testing::Test {
 protected:
  json wanted() { return host_.result({.activity = "wanted", .input = {{"article", "tea"}}})["wanted"]; }

  TestHost host_{skald_plugin_entry(), {{"greeting", "Good day"}}};
  const json tea_ = {{"wish_id", "w-1"}, {"article", "tea"}, {"quantity", 3}};
};

TEST_F(@Name@Test, WishHappensOnceHoweverOftenItIsTried) {
  EXPECT_EQ(host_.result({.activity = "wish", .input = tea_}), json({{"wished", 3}}));
  EXPECT_EQ(host_.result({.activity = "wish", .input = tea_, .number = 2}), json({{"wished", 3}}));
  EXPECT_EQ(wanted(), 3);
}

TEST_F(@Name@Test, WishIsRememberedAfterARestart) {
  host_.run({.activity = "wish", .input = tea_});
  host_.restart();
  EXPECT_EQ(wanted(), 3);
}

TEST_F(@Name@Test, ForgottenWishStaysForgotten) {
  host_.run({.activity = "wish", .input = tea_});
  EXPECT_EQ(host_.result({.activity = "forget", .input = tea_}), json({{"undone", true}}));
  EXPECT_EQ(host_.run({.activity = "wish", .input = tea_, .number = 2}).error, "AlreadyCompensated");
  EXPECT_EQ(wanted(), 0);
}

TEST_F(@Name@Test, RefusalIsFinal) {
  const Answer answer = host_.run({.activity = "wish", .input = {{"wish_id", "w-2"}, {"article", "moon"}, {"quantity", 1}}});
  EXPECT_EQ(answer.error, "NotForSale");
  EXPECT_TRUE(answer.non_retryable);
}

TEST_F(@Name@Test, GreetingTakesItsTimeAndCanBeCancelled) {
  EXPECT_EQ(host_.result({.activity = "greet", .input = {{"who", "Ann"}, {"steps", 1}}}), "Good day, Ann!");
  const auto attempt = host_.start({.activity = "greet", .input = {{"who", "Ann"}, {"steps", 1000}}});
  attempt->wait_heartbeat(0);
  attempt->cancel();
  EXPECT_EQ(attempt->wait().kind, Answer::Kind::kCancelled);
}

}  // namespace
