#include <cstdlib>
#include <mutex>
#include <vector>

#include <gmock/gmock.h>
#include <httplib.h>

#include "tests/unit/kit/http_client_fixture.h"

namespace skald::plugin {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A server as people use them.
class Server {
 public:
  Server() {
    server_.set_tcp_nodelay(true);
    server_.set_keep_alive_max_count(1);  // it waits for the connections it keeps
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Server() {
    server_.stop();
    thread_.join();
  }
  httplib::Server* operator->() { return &server_; }
  std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }

 private:
  httplib::Server server_;
  int port_;
  std::thread thread_;
};

TEST_F(HttpClientTest, BringsStatusHeadersAndBody) {
  Server server;
  server->Get("/items", [](const httplib::Request&, httplib::Response& response) {
    response.set_header("X-Total", "2");
    response.set_content("[1,2]", "application/json");
  });
  const HttpResponse response = send(get(server.url("/items"))).get();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.parsed(), json({1, 2}));
  ASSERT_NE(response.header("x-total"), nullptr);
  EXPECT_EQ(*response.header("x-total"), "2");
  EXPECT_EQ(response.header("X-None"), nullptr);
}

TEST_F(HttpClientTest, SendsMethodHeadersAndBody) {
  Server server;
  server->Put("/orders", [](const httplib::Request& request, httplib::Response& response) {
    response.set_content(request.method + " " + request.get_header_value("X-Key") + " " + request.body, "text/plain");
  });
  HttpRequest request{.method = "PUT", .url = server.url("/orders"), .headers = {{"X-Key", "k1"}}, .body = "order"};
  EXPECT_EQ(send(request).get().body, "PUT k1 order");
}

TEST_F(HttpClientTest, SendsNoHeaderThatNobodyGave) {
  RawServer server(always([](const std::string& request) { return answer(200, request); }));
  const std::string seen = send(post(server.url(), std::string(2 << 20, 'x'))).get().body.substr(0, 500);
  EXPECT_THAT(seen, AllOf(StartsWith("POST / HTTP/1.1\r\n"), HasSubstr("Content-Length: 2097152\r\n"),
                          Not(HasSubstr("Content-Type")), Not(HasSubstr("Expect"))));
  EXPECT_THAT(send({.method = "PUT", .url = server.url()}).get().body, HasSubstr("Content-Length: 0\r\n"));
}

TEST_F(HttpClientTest, KeepsConnections) {
  RawServer server(always([](const std::string&) { return answer(200); }));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(send(get(server.url())).get().status, 200);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpClientTest, FollowsNoRedirect) {
  RawServer server(always([](const std::string&) { return answer(302, "", "Location: http://127.0.0.1:1/\r\n"); }));
  EXPECT_EQ(send(get(server.url())).get().status, 302);
}

TEST_F(HttpClientTest, UsesNoProxyOfTheEnvironment) {
  RawServer server(always([](const std::string&) { return answer(200); }));
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  const int status = send(get(server.url())).get().status;
  unsetenv("http_proxy");
  EXPECT_EQ(status, 200);
}

TEST_F(HttpClientTest, UsesTheProxyOfTheConfiguration) {
  RawServer proxy(always([](const std::string& request) { return answer(200, request); }));
  HttpOptions options = quick();
  options.proxy = proxy.url("");
  use(options);
  EXPECT_THAT(send(get("http://shop.invalid/items")).get().body, StartsWith("GET http://shop.invalid/items HTTP/1.1"));
}

TEST_F(HttpClientTest, RefusesForGoodWhatIsNoRequest) {
  for (const char* url : {"", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "no url", "http://127.0.0.1:port/",
                          "http://127.0.0.1/a b", "http://127.0.0.1/\r\nX-Evil: 1"}) {
    const ActivityError error = error_of(send(get(url)));
    EXPECT_EQ(error.type, "HttpInvalidRequest") << url;
    EXPECT_TRUE(error.non_retryable);
  }
  HttpRequest split = get("http://127.0.0.1:1/");
  split.headers = {{"X-Note", "hello\r\nX-Evil: 1"}};
  EXPECT_EQ(error_type(send(split)), "HttpInvalidRequest");
  split.headers = {{"X Note", "hello"}};
  EXPECT_EQ(error_type(send(split)), "HttpInvalidRequest");
  EXPECT_EQ(error_type(send({.method = "GET /", .url = "http://127.0.0.1:1/"})), "HttpInvalidRequest");
}

TEST_F(HttpClientTest, WhereNobodyListensNothingWasSent) {
  HttpRequest request = post("http://user:secret@127.0.0.1:1/pay?key=secret");
  request.headers = {{"Authorization", "Bearer secret"}};
  const ActivityError error = error_of(send(request));
  EXPECT_EQ(error.type, "HttpUnreachable");
  EXPECT_FALSE(error.non_retryable);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("POST http://127.0.0.1:1/pay was not sent"), Not(HasSubstr("secret"))));
}

TEST_F(HttpClientTest, EndsATryThatTakesTooLong) {
  RawServer server([](RawConnection& connection) { connection.wait_closed(); });
  HttpRequest request = get(server.url());
  request.timeout = std::chrono::milliseconds(30);
  request.tries = 2;
  const ActivityError error = error_of(send(request));
  EXPECT_EQ(error.type, "HttpTimeout");
  EXPECT_THAT(error.what(), HasSubstr("longer than 30 ms; nobody knows whether it was done"));
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(HttpClientTest, EndsAnAnswerThatStandsStill) {
  RawServer server([](RawConnection& connection) {
    connection.read_request();
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    connection.wait_closed();
  });
  HttpRequest request = get(server.url());
  request.idle_timeout = std::chrono::milliseconds(30);
  request.tries = 1;
  EXPECT_EQ(error_type(send(request)), "HttpTimeout");
}

TEST_F(HttpClientTest, WaitsLongerForAnAnswersBeginningThanWithinIt) {
  RawServer server([](RawConnection& connection) {
    connection.read_request();
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    connection.write("ok");
  });
  HttpRequest request = get(server.url());
  request.idle_timeout = std::chrono::milliseconds(30);
  request.tries = 1;
  EXPECT_EQ(send(request).get().body, "ok");
}

TEST_F(HttpClientTest, EndsAnAnswerThatIsTooLong) {
  RawServer server(always([](const std::string&) { return answer(200, std::string(1001, 'x')); }));
  HttpRequest request = get(server.url());
  request.max_response_bytes = 1000;
  const ActivityError error = error_of(send(request));
  EXPECT_EQ(error.type, "HttpTooLarge");
  EXPECT_TRUE(error.non_retryable);
  request.max_response_bytes = 1001;
  EXPECT_EQ(send(request).get().body.size(), 1001u);
}

TEST_F(HttpClientTest, EndsHeadersWithoutEnd) {
  RawServer server([](RawConnection& connection) {
    connection.read_request();
    connection.write("HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 400; ++i) connection.write("X-" + std::to_string(i) + ": " + std::string(1000, 'x') + "\r\n");
  });
  EXPECT_EQ(error_type(send(get(server.url()))), "HttpTooLarge");
}

TEST_F(HttpClientTest, HalfAnAnswerIsALostConnection) {
  for (const char* half : {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "this is not HTTP\r\n\r\n"}) {
    RawServer server([half](RawConnection& connection) {
      connection.read_request();
      connection.write(half);
    });
    const ActivityError error = error_of(send(post(server.url("/pay"))));
    EXPECT_EQ(error.type, "HttpConnectionLost") << half;
    EXPECT_THAT(error.what(), HasSubstr("nobody knows whether it was done"));
    EXPECT_EQ(server.connections(), 1) << half;
  }
}

TEST_F(HttpClientTest, AConnectionThatIsResetIsALostOne) {
  RawServer server([](RawConnection& connection) {
    connection.read_request();
    connection.reset();
  });
  EXPECT_EQ(error_type(send(post(server.url()))), "HttpConnectionLost");
}

TEST_F(HttpClientTest, WhatIsNotRepeatableIsNeverSentTwice) {
  std::atomic<int> posts = 0;
  RawServer server([&posts](RawConnection& connection) {
    // Takes one request on a connection, and closes without a word when there is another.
    if (connection.read_request().starts_with("POST")) ++posts;
    connection.write(answer(200));
    if (connection.read_request().starts_with("POST")) ++posts;
  });
  EXPECT_EQ(send(get(server.url())).get().status, 200);
  EXPECT_EQ(send(post(server.url())).get().status, 200);
  EXPECT_EQ(posts, 1);
}

TEST_F(HttpClientTest, GoesOnInThePool) {
  RawServer server(always([](const std::string&) { return answer(200); }));
  struct Name {
    static Async<std::string> after(HttpClient& client, Context& context, HttpRequest request) {
      co_await client.send(context, std::move(request));
      char name[16] = "";
      pthread_getname_np(pthread_self(), name, sizeof name);
      co_return name;
    }
  };
  EXPECT_NE(begin(Name::after(*client_, attempt_.context(), get(server.url()))).get(), "skald-http");
}

TEST_F(HttpClientTest, FetchNeedsNoThreadButTheCallers) {
  RawServer server(always([](const std::string&) { return answer(503); }));
  Later pool(1);
  Attempt attempt(pool);
  HttpClient client(quick(), pool);
  std::promise<int> status;
  pool.run(std::chrono::milliseconds(0),
           [&] { status.set_value(client.fetch(attempt.context(), get(server.url())).status); });
  EXPECT_EQ(status.get_future().get(), 503);
}

TEST_F(HttpClientTest, FetchThrowsAsSendDoes) {
  EXPECT_THROW(client_->fetch(attempt_.context(), get("http://127.0.0.1:1/")), ActivityError);
}

TEST_F(HttpClientTest, ABodyThatIsNoJsonIsSaidToBeNone) {
  RawServer server(always([](const std::string&) { return answer(200, "<html>"); }));
  const HttpResponse response = send(get(server.url())).get();
  try {
    response.parsed();
    FAIL();
  } catch (const ActivityError& e) {
    EXPECT_EQ(e.type, "HttpInvalidBody");
  }
}

class Streaming : public HttpClientTest {
 protected:
  HttpRequest streamed(const std::string& url) {
    HttpRequest request = get(url);
    request.on_data = [this](std::string_view data) {
      seen_ += data;
      return seen_.find("stop") == std::string::npos;
    };
    return request;
  }
  std::string seen_;
};

TEST_F(Streaming, BringsTheBodyAsItComes) {
  RawServer server(always([](const std::string&) { return answer(200, "one two three"); }));
  EXPECT_EQ(send(streamed(server.url())).get().body, "");
  EXPECT_EQ(seen_, "one two three");
}

TEST_F(Streaming, ErrorsHaveTheirBody) {
  RawServer server(always([](const std::string&) { return answer(400, "no"); }));
  EXPECT_EQ(send(streamed(server.url())).get().body, "no");
  EXPECT_EQ(seen_, "");
}

TEST_F(Streaming, EndsWhenItsReaderSaysSo) {
  RawServer server([](RawConnection& connection) {
    connection.read_request();
    connection.write("HTTP/1.1 200 OK\r\n\r\nplease stop");
    connection.wait_closed();
  });
  EXPECT_EQ(send(streamed(server.url())).get().status, 200);
  EXPECT_EQ(seen_, "please stop");
}

TEST_F(Streaming, FailsWithWhatItsReaderThrows) {
  RawServer server(always([](const std::string&) { return answer(200, "data"); }));
  HttpRequest request = get(server.url());
  request.on_data = [](std::string_view) -> bool { throw ActivityError("BadData", "this is not what was asked for"); };
  EXPECT_EQ(error_type(send(request)), "BadData");
}

TEST_F(Streaming, IsNotRepeatedOnceItBegan) {
  RawServer server([](RawConnection& connection) {
    connection.read_request();
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  });
  EXPECT_EQ(error_type(send(streamed(server.url()))), "HttpConnectionLost");
  EXPECT_EQ(seen_, "half");
  EXPECT_EQ(server.connections(), 1);
}

}  // namespace
}  // namespace skald::plugin
