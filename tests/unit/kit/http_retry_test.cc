#include "plugins/sdk/http_retry.h"

#include <gmock/gmock.h>

#include "tests/unit/kit/http_client_fixture.h"

namespace skald::plugin {
namespace {

using namespace std::chrono_literals;
using Kind = HttpResult::Kind;
using Next = RetryPlan::Next;
using testing::HasSubstr;

const auto kNow = std::chrono::system_clock::from_time_t(784111777);  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr auto kTime = std::chrono::milliseconds(1h);

HttpResult ended(Kind kind, bool streamed = false) {
  HttpResult result;
  result.kind = kind;
  result.streamed = streamed;
  return result;
}

HttpResult answered(int status, const std::string& retry_after = "") {
  HttpResult result;
  result.response.status = status;
  if (!retry_after.empty()) result.response.headers = {{"retry-after", retry_after}};
  return result;
}

Next next(const HttpResult& result, bool repeatable) {
  return plan_retry(result, {3, 100ms, repeatable}, 1, kTime, 1, kNow).next;
}

TEST(HttpRetry, RepeatsWhatWasNotSent) {
  for (const bool repeatable : {false, true}) EXPECT_EQ(next(ended(Kind::kUnreachable), repeatable), Next::kAgain);
}

// A 503 may come from a gateway that has lost its patience, and a 429 from one that has counted what it passed on.
TEST(HttpRetry, RepeatsWhatReachedTheServiceOnlyIfThatDoesNoHarm) {
  for (const HttpResult& result : {answered(429), answered(429, "1"), answered(502), answered(503), answered(503, "1"),
                                   answered(504), ended(Kind::kTimeout), ended(Kind::kLost)}) {
    EXPECT_EQ(next(result, true), Next::kAgain);
    EXPECT_EQ(next(result, false), Next::kNone);
  }
}

TEST(HttpRetry, TakesOtherAnswersAsTheyAre) {
  for (const int status : {200, 204, 302, 400, 404, 409, 500, 501})
    EXPECT_EQ(next(answered(status), true), Next::kNone);
  for (const Kind kind : {Kind::kTooLarge, Kind::kInvalid, Kind::kThrown, Kind::kGone, Kind::kStopped})
    EXPECT_EQ(next(ended(kind), true), Next::kNone);
  EXPECT_EQ(next(ended(Kind::kLost, true), true), Next::kNone);
}

TEST(HttpRetry, GivesUpWhenTheTriesAreUsedUp) {
  EXPECT_EQ(plan_retry(answered(503), {3, 100ms, true}, 2, kTime, 1, kNow).next, Next::kAgain);
  EXPECT_EQ(plan_retry(answered(503), {3, 100ms, true}, 3, kTime, 1, kNow).next, Next::kNone);
}

TEST(HttpRetry, PausesGrowAndAreRandom) {
  const auto wait = [](int tried, double chance) {
    return plan_retry(answered(503), {100, 100ms, true}, tried, kTime, chance, kNow).wait;
  };
  EXPECT_EQ(wait(1, 1), 100ms);
  EXPECT_EQ(wait(2, 1), 200ms);
  EXPECT_EQ(wait(3, 1), 400ms);
  EXPECT_EQ(wait(3, 0.25), 100ms);
  EXPECT_EQ(wait(3, 0), 0ms);
  EXPECT_EQ(wait(99, 1), 10s);
}

TEST(HttpRetry, WaitsAsLongAsTheServiceSays) {
  const auto plan = [](const std::string& after, std::chrono::milliseconds remaining) {
    return plan_retry(answered(429, after), {3, 100ms, true}, 1, remaining, 0, kNow);
  };
  EXPECT_EQ(plan("2", kTime).wait, 2s);
  EXPECT_EQ(plan("Sun, 06 Nov 1994 08:49:42 GMT", kTime).wait, 5s);
  EXPECT_EQ(plan("nonsense", kTime).wait, 0ms);
  EXPECT_EQ(plan("2", 3s).next, Next::kAgain);
  EXPECT_EQ(plan("2", 2s).next, Next::kTooLate);
  EXPECT_EQ(plan("61", kTime).next, Next::kTooLate);
  EXPECT_EQ(plan("61", kTime).wait, 61s);
}

TEST(HttpRetry, ReadsRetryAfter) {
  EXPECT_EQ(retry_after("0", kNow), 0ms);
  EXPECT_EQ(retry_after("120", kNow), 120s);
  EXPECT_EQ(retry_after("99999999999999999999", kNow), 24h);
  EXPECT_EQ(retry_after("Sunday, 06-Nov-94 08:49:38 GMT", kNow), 1s);
  EXPECT_EQ(retry_after("Sun Nov  6 08:49:38 1994", kNow), 1s);
  EXPECT_EQ(retry_after("Sun, 06 Nov 1994 08:00:00 GMT", kNow), 0ms);
  EXPECT_EQ(retry_after("Sun, 06 Nov 2094 08:00:00 GMT", kNow), 24h);
  EXPECT_EQ(retry_after("", kNow), std::nullopt);
  EXPECT_EQ(retry_after("-1", kNow), std::nullopt);
  EXPECT_EQ(retry_after("soon", kNow), std::nullopt);
}

class Retrying : public HttpClientTest {
 protected:
  // Answers the first `times` requests with `first`, then with 200.
  std::function<void(RawConnection&)> recovering(int times, std::string first) {
    return always([this, times, first = std::move(first)](const std::string&) {
      return ++requests_ <= times ? first : answer(200);
    });
  }
  std::atomic<int> requests_ = 0;
};

TEST_F(Retrying, ComesThrough) {
  RawServer server(recovering(2, answer(503)));
  EXPECT_EQ(send(get(server.url())).get().status, 200);
  EXPECT_EQ(requests_, 3);
}

TEST_F(Retrying, RepeatsByItselfOnlyWhatDoesNoHarm) {
  const struct {
    HttpRequest request;
    bool repeated;
  } cases[] = {
      {{.method = "GET"}, true},
      {{.method = "HEAD"}, true},
      {{.method = "PUT"}, true},
      {{.method = "DELETE"}, true},
      {{.method = "OPTIONS"}, true},
      {{.method = "POST"}, false},
      {{.method = "PATCH"}, false},
      {{.method = "get"}, false},  // methods have capitals: nobody knows what this one is
      {{.method = "POST", .headers = {{"Idempotency-Key", "o-1"}}}, true},
      {{.method = "POST", .headers = {{"Idempotency-Key", ""}}}, false},
      {{.method = "POST", .repeatable = true}, true},
      {{.method = "GET", .repeatable = false}, false},
  };
  for (const int status : {429, 502, 503, 504}) {
    for (const char* more : {"", "Retry-After: 0\r\n"}) {
      for (const auto& [request, repeated] : cases) {
        requests_ = 0;
        RawServer server(recovering(1, answer(status, "", more)));
        HttpRequest sent = request;
        sent.url = server.url();
        EXPECT_EQ(send(sent).get().status, repeated ? 200 : status) << request.method << status << more;
        EXPECT_EQ(requests_, repeated ? 2 : 1) << request.method << status << more;
      }
    }
  }
}

TEST_F(Retrying, BringsTheLastAnswerWhenTheTriesAreUsedUp) {
  RawServer server(recovering(100, answer(503, "later")));
  const HttpResponse response = send(get(server.url())).get();
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body, "later");
  EXPECT_EQ(requests_, 3);
}

TEST_F(Retrying, RepeatsAPostThatCouldNotBeSent) {
  const std::string url = RawServer([](RawConnection&) {}).url();  // nobody listens there any more
  HttpOptions options = quick();
  options.tries = 2;
  options.breaker_failures = 2;
  use(options);
  EXPECT_EQ(error_type(send(post(url))), "HttpUnreachable");
  EXPECT_EQ(error_type(send(post(url))), "CircuitOpen");  // so the first has been tried twice
}

TEST_F(Retrying, RepeatsWhatItsAuthorSaysIsRepeatable) {
  std::atomic<int> lost = 0;
  RawServer server([&lost](RawConnection& connection) {
    connection.read_request();
    if (++lost > 1) connection.write(answer(200));
  });
  HttpRequest request = post(server.url());
  request.repeatable = true;
  EXPECT_EQ(send(request).get().status, 200);
  HttpRequest once = get(server.url());
  once.repeatable = false;
  lost = 0;
  EXPECT_EQ(error_type(send(once)), "HttpConnectionLost");
}

TEST_F(Retrying, LeavesAPauseThatDoesNotFitToTheServer) {
  RawServer server(recovering(1, answer(429, "", "Retry-After: 3600\r\n")));
  const ActivityError error = error_of(send(get(server.url())));
  EXPECT_EQ(error.type, "HttpUnavailable");
  EXPECT_FALSE(error.non_retryable);
  EXPECT_EQ(error.next_retry_delay_ms, 3600000);
  EXPECT_EQ(error.details, json({{"status", 429}}));
  EXPECT_THAT(error.what(), HasSubstr("answered with status 429"));
  EXPECT_EQ(requests_, 1);
}

}  // namespace
}  // namespace skald::plugin
