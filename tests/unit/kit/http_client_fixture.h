#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "plugins/sdk/http.h"
#include "plugins/sdk/later.h"
#include "tests/unit/kit/attempt.h"
#include "tests/unit/kit/raw_server.h"

namespace skald::plugin {

// A client whose pauses take no time worth speaking of.
class HttpClientTest : public testing::Test {
 protected:
  static HttpOptions quick() {
    HttpOptions options;
    options.first_retry = std::chrono::milliseconds(1);
    return options;
  }
  void use(const HttpOptions& options) { client_ = std::make_unique<HttpClient>(options, pool_); }

  std::future<HttpResponse> send(HttpRequest request) { return send(attempt_, std::move(request)); }
  std::future<HttpResponse> send(Attempt& attempt, HttpRequest request) {
    return begin(client_->send(attempt.context(), std::move(request)));
  }

  Later pool_{8};
  Attempt attempt_{pool_};
  std::unique_ptr<HttpClient> client_ = std::make_unique<HttpClient>(quick(), pool_);
};

// Answers every request on every connection.
inline std::function<void(RawConnection&)> always(std::function<std::string(const std::string& request)> reply) {
  return [reply = std::move(reply)](RawConnection& connection) {
    for (std::string request = connection.read_request(); !request.empty(); request = connection.read_request())
      connection.write(reply(request));
  };
}

inline HttpRequest get(std::string url) { return {.url = std::move(url)}; }

inline HttpRequest post(std::string url, std::string body = "{}") {
  return {.method = "POST", .url = std::move(url), .body = std::move(body)};
}

}  // namespace skald::plugin
