#include <algorithm>
#include <atomic>

#include <gtest/gtest.h>

#include "plugins/sdk/bulkhead.h"
#include "tests/unit/kit/http_client_fixture.h"

namespace skald::plugin {
namespace {

using namespace std::chrono_literals;

// A service that says when a request has come, and answers when it is let.
class SlowService {
 public:
  void wait_arrived(int requests) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= requests; });
  }
  void let_all() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  int most_at_once() const { return most_; }
  std::string url() const { return server_.url(); }

 private:
  std::string serve() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    most_ = std::max(most_, ++inside_);
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    --inside_;
    return answer(200);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int arrived_ = 0, inside_ = 0, most_ = 0;
  RawServer server_{always([this](const std::string&) { return serve(); })};
};

class HttpWaiting : public HttpClientTest {
 protected:
  ~HttpWaiting() override { service_.let_all(); }
  void narrow(int inside, int waiting) {
    HttpOptions options = quick();
    options.max_concurrent_per_host = inside;
    options.max_waiting_per_host = waiting;
    use(options);
  }
  std::future<HttpResponse> ask() { return send(get(service_.url())); }
  std::future<HttpResponse> ask(Attempt& attempt) { return send(attempt, get(service_.url())); }

  SlowService service_;
};

TEST_F(HttpWaiting, ManyWaitAtATimeInOneThread) {
  std::vector<std::future<HttpResponse>> asked;
  for (int i = 0; i < 50; ++i) asked.push_back(ask());
  service_.wait_arrived(50);
  service_.let_all();
  for (auto& each : asked) EXPECT_EQ(each.get().status, 200);
}

TEST_F(HttpWaiting, SoManyAtATimeAndTheOthersInLine) {
  narrow(2, 10);
  std::vector<std::future<HttpResponse>> asked;
  for (int i = 0; i < 8; ++i) asked.push_back(ask());
  service_.wait_arrived(2);
  service_.let_all();
  for (auto& each : asked) EXPECT_EQ(each.get().status, 200);
  EXPECT_EQ(service_.most_at_once(), 2);
}

TEST_F(HttpWaiting, WhoFindsTheLineFullIsRefused) {
  narrow(1, 1);
  auto first = ask(), second = ask();
  const ActivityError error = error_of(ask());
  EXPECT_EQ(error.type, "HttpBusy");
  EXPECT_FALSE(error.non_retryable);
  service_.let_all();
  EXPECT_EQ(first.get().status, 200);
  EXPECT_EQ(second.get().status, 200);
}

TEST_F(HttpWaiting, OneServiceThatIsSlowHoldsUpNoOther) {
  narrow(1, 0);
  RawServer other(always([](const std::string&) { return answer(200); }));
  auto first = ask();
  EXPECT_EQ(send(get(other.url())).get().status, 200);
}

TEST_F(HttpWaiting, IsCancelledWhileTheServiceWorks) {
  auto asked = ask();
  service_.wait_arrived(1);
  attempt_.cancel();
  EXPECT_EQ(error_type(std::move(asked)), "ActivityCancelled");
}

TEST_F(HttpWaiting, IsCancelledInLine) {
  narrow(1, 1);
  Attempt impatient(pool_);
  auto first = ask(), second = ask(impatient);
  impatient.cancel();
  EXPECT_EQ(error_type(std::move(second)), "ActivityCancelled");
  service_.let_all();
  EXPECT_EQ(first.get().status, 200);
  EXPECT_EQ(ask().get().status, 200);
}

TEST_F(HttpWaiting, IsCancelledBetweenTwoTries) {
  std::promise<void> refused;
  RawServer server([&refused](RawConnection& connection) {
    connection.read_request();
    connection.write(answer(503, "", "Retry-After: 30\r\n"));
    refused.set_value();
  });
  auto asked = send(get(server.url()));
  refused.get_future().get();
  attempt_.cancel();
  EXPECT_EQ(error_type(std::move(asked)), "ActivityCancelled");
}

TEST_F(HttpWaiting, WhatIsCancelledIsNotBegun) {
  attempt_.cancel();
  EXPECT_EQ(error_type(ask()), "ActivityCancelled");
}

TEST_F(HttpWaiting, EndsAtTheAttemptsDeadline) {
  Attempt hasty(pool_, 30ms);
  EXPECT_EQ(error_type(ask(hasty)), "HttpTimeout");
}

TEST_F(HttpWaiting, FetchIsCancelledToo) {
  std::promise<std::string> error;
  pool_.run(0ms, [&] {
    try {
      client_->fetch(attempt_.context(), get(service_.url()));
    } catch (const ActivityCancelled&) {
      error.set_value("ActivityCancelled");
    }
  });
  service_.wait_arrived(1);
  attempt_.cancel();
  EXPECT_EQ(error.get_future().get(), "ActivityCancelled");
}

TEST_F(HttpWaiting, StoppingEndsAllThatWait) {
  narrow(1, 1);
  auto working = ask(), in_line = ask();
  service_.wait_arrived(1);
  client_->stop();
  EXPECT_EQ(error_type(std::move(working)), "HostStopping");
  EXPECT_EQ(error_type(std::move(in_line)), "HostStopping");
  EXPECT_EQ(error_type(ask()), "HostStopping");
}

TEST_F(HttpWaiting, StoppingEndsAStream) {
  RawServer server([](RawConnection& connection) {
    connection.read_request();
    connection.write("HTTP/1.1 200 OK\r\n\r\nfirst");
    connection.wait_closed();
  });
  std::promise<void> began;
  HttpRequest request = get(server.url());
  request.on_data = [&began](std::string_view) {
    began.set_value();
    return true;
  };
  auto asked = send(request);
  began.get_future().get();
  client_->stop();
  EXPECT_EQ(error_type(std::move(asked)), "HostStopping");
}

TEST(BulkheadTest, GivesAPlaceThatNobodyTookBack) {
  const auto bulkhead = std::make_shared<Bulkhead>(1, 1);
  int inside = 0;
  const auto never = [] { return false; };
  const auto look = [&inside](const Bulkhead::Place& place) {
    inside += place.kind() == Bulkhead::Place::Kind::kInside;
  };
  bulkhead->enter(never, look);  // and leaves with the call
  bulkhead->enter(never, look);
  EXPECT_EQ(inside, 2);
}

}  // namespace
}  // namespace skald::plugin
