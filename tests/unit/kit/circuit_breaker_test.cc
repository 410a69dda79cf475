#include "plugins/sdk/circuit_breaker.h"

#include <gtest/gtest.h>

#include "tests/unit/kit/http_client_fixture.h"

namespace skald::plugin {
namespace {

using namespace std::chrono_literals;
using Outcome = CircuitBreaker::Outcome;

class Breaker : public testing::Test {
 protected:
  void pass(Outcome outcome) {
    const auto pass = breaker_.admit(now_);
    ASSERT_TRUE(pass.allowed);
    breaker_.record(pass, outcome, now_);
  }
  void break_it() {
    for (int i = 0; i < 3; ++i) pass(Outcome::kFailure);
  }
  bool lets_through() { return breaker_.shut_for(now_) == 0ms; }

  CircuitBreaker::Time now_{};
  CircuitBreaker breaker_{3, 5000ms};
};

TEST_F(Breaker, OpensAfterSoManyFailuresInARow) {
  pass(Outcome::kFailure);
  pass(Outcome::kFailure);
  pass(Outcome::kSuccess);
  pass(Outcome::kFailure);
  pass(Outcome::kFailure);
  EXPECT_TRUE(lets_through());
  pass(Outcome::kFailure);
  EXPECT_FALSE(lets_through());
}

TEST_F(Breaker, DoesNotCountWhatWasGivenUp) {
  for (int i = 0; i < 10; ++i) pass(Outcome::kUnknown);
  EXPECT_TRUE(lets_through());
}

TEST_F(Breaker, SaysHowLongItIsShut) {
  break_it();
  now_ += 1s;
  EXPECT_EQ(breaker_.shut_for(now_), 4s);
  const auto refused = breaker_.admit(now_);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.wait, 4s);
}

TEST_F(Breaker, LetsOneTryWhenItsTimeIsOver) {
  break_it();
  now_ += 5s;
  EXPECT_TRUE(breaker_.admit(now_).allowed);
  const auto second = breaker_.admit(now_);
  EXPECT_FALSE(second.allowed);
  EXPECT_GT(second.wait, 0ms);
}

TEST_F(Breaker, ClosesWhenThatSucceeds) {
  break_it();
  now_ += 5s;
  pass(Outcome::kSuccess);
  pass(Outcome::kFailure);
  pass(Outcome::kFailure);
  EXPECT_TRUE(lets_through());
}

TEST_F(Breaker, OpensAgainWhenThatFails) {
  break_it();
  now_ += 5s;
  pass(Outcome::kFailure);
  EXPECT_EQ(breaker_.shut_for(now_), 5s);
}

TEST_F(Breaker, LetsAnotherTryWhenThatWasGivenUp) {
  break_it();
  now_ += 5s;
  pass(Outcome::kUnknown);
  EXPECT_TRUE(breaker_.admit(now_).allowed);
}

TEST_F(Breaker, DoesNotHearThoseWhoPassedBefore) {
  const auto early = breaker_.admit(now_);
  break_it();
  breaker_.record(early, Outcome::kSuccess, now_);
  EXPECT_FALSE(lets_through());
  now_ += 5s;
  const auto probe = breaker_.admit(now_);
  breaker_.record(early, Outcome::kFailure, now_);
  breaker_.record(probe, Outcome::kSuccess, now_);
  EXPECT_TRUE(lets_through());
}

TEST_F(Breaker, NeverOpensWithoutANumber) {
  CircuitBreaker none(0, 5000ms);
  for (int i = 0; i < 100; ++i) none.record(none.admit(now_), Outcome::kFailure, now_);
  EXPECT_TRUE(none.admit(now_).allowed);
}

class BrokenService : public HttpClientTest {
 protected:
  HttpOptions breaking(std::chrono::milliseconds open) {
    HttpOptions options = quick();
    options.tries = 1;
    options.breaker_failures = 2;
    options.breaker_open = open;
    return options;
  }
  std::atomic<int> status_ = 500, requests_ = 0;
  RawServer server_{always([this](const std::string&) {
    ++requests_;
    return answer(status_);
  })};
};

TEST_F(BrokenService, IsLeftInPeace) {
  use(breaking(1h));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(send(get(server_.url())).get().status, 500);
  const ActivityError error = error_of(send(get(server_.url())));
  EXPECT_EQ(error.type, "CircuitOpen");
  EXPECT_FALSE(error.non_retryable);
  EXPECT_GT(error.next_retry_delay_ms, 0);
  EXPECT_EQ(requests_, 2);
}

TEST_F(BrokenService, ConcernsNoOther) {
  use(breaking(1h));
  RawServer other(always([](const std::string&) { return answer(200); }));
  for (int i = 0; i < 2; ++i) send(get(server_.url())).get();
  EXPECT_EQ(send(get(other.url())).get().status, 200);
}

TEST_F(BrokenService, IsAskedAgainWhenTheTimeIsOver) {
  use(breaking(1ms));
  for (int i = 0; i < 2; ++i) send(get(server_.url())).get();
  status_ = 200;
  std::string error;
  do {
    error = error_type(send(get(server_.url())));
  } while (error == "CircuitOpen");
  EXPECT_EQ(error, "");
  EXPECT_EQ(send(get(server_.url())).get().status, 200);
}

TEST_F(BrokenService, IsNotOneThatRefuses) {
  use(breaking(1h));
  status_ = 404;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(send(get(server_.url())).get().status, 404);
}

TEST_F(BrokenService, IsOneThatCannotBeReached) {
  use(breaking(1h));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(error_type(send(get("http://127.0.0.1:1/"))), "HttpUnreachable");
  EXPECT_EQ(error_type(send(get("http://127.0.0.1:1/"))), "CircuitOpen");
}

}  // namespace
}  // namespace skald::plugin
