#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/kit/http_client_fixture.h"

// Services of every kind of badness, many callers, cancellations and a stop amid it: every coroutine ends, once.
namespace skald::plugin {
namespace {

class HttpStorm : public HttpClientTest {
 protected:
  HttpStorm() {
    HttpOptions options = quick();
    options.max_concurrent_per_host = 20;
    options.breaker_failures = 50;
    options.breaker_open = std::chrono::milliseconds(1);
    use(options);
  }

  // Answers, fails, breaks off, or says nothing more, in turn.
  void serve(RawConnection& connection) {
    for (std::string request = connection.read_request(); !request.empty(); request = connection.read_request()) {
      switch (++served_ % 7) {
        case 0:
          return connection.reset();
        case 1:
          return connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        case 2:
          return connection.wait_closed();
        case 3:
          connection.write(answer(503));
          break;
        default:
          connection.write(answer(200, "whole"));
      }
    }
  }
  HttpRequest request(int number) {
    HttpRequest out = number % 3 == 0 ? post(server_.url()) : get(server_.url());
    if (number % 5 == 0) out.url = "http://127.0.0.1:1/";
    if (number % 4 == 0) out.on_data = [](std::string_view) { return true; };
    out.timeout = std::chrono::milliseconds(number % 2 == 0 ? 20 : 1000);
    return out;
  }
  void begin_all(int count) {
    for (int i = 0; i < count; ++i) {
      attempts_.push_back(std::make_unique<Attempt>(pool_, std::chrono::milliseconds(i % 11 == 0 ? 50 : 60000)));
      sending_.push_back(send(*attempts_.back(), request(i)));
    }
  }
  std::map<std::string, int> ends() {
    std::map<std::string, int> out;
    for (auto& each : sending_) ++out[error_type(std::move(each))];
    return out;
  }

  std::atomic<int> served_ = 0;
  RawServer server_{[this](RawConnection& connection) { serve(connection); }};
  std::vector<std::unique_ptr<Attempt>> attempts_;
  std::vector<std::future<HttpResponse>> sending_;
};

TEST_F(HttpStorm, EndsForEverybody) {
  begin_all(400);
  for (size_t i = 0; i < attempts_.size(); i += 6) attempts_[i]->cancel();
  std::map<std::string, int> all = ends();
  EXPECT_GT(all[""], 0);
  EXPECT_GT(all["HttpUnreachable"] + all["CircuitOpen"], 0);
  EXPECT_EQ(all["HostStopping"], 0);
}

TEST_F(HttpStorm, EndsForEverybodyWhenItIsStopped) {
  begin_all(400);
  client_->stop();
  EXPECT_GT(ends()["HostStopping"], 0);
}

TEST_F(HttpStorm, EndsWithThePool) {
  begin_all(100);
  client_->stop();
  pool_.close();
  ends();
}

}  // namespace
}  // namespace skald::plugin
