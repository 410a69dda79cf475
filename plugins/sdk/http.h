#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugins/sdk/async.h"
#include "plugins/sdk/context.h"
#include "plugins/sdk/http_options.h"
#include "plugins/sdk/service.h"

namespace skald::plugin {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// What is asked of a service. Only http and https; redirects are answers like others.
struct HttpRequest {
  std::string method = "GET";
  std::string url = {};
  HttpHeaders headers = {};
  std::string body = {};
  std::chrono::milliseconds timeout{0};  // of one try; 0: the configuration's
  // The answer's body has begun, and no further byte of it comes for so long; 0: no such limit. The wait until it
  // begins is bounded by `timeout` alone, because who thinks before it speaks is not idle.
  std::chrono::milliseconds idle_timeout{0};
  int tries = 0;  // 0: the configuration's
  // May be sent again once it has reached the service. Not said: GET, HEAD, PUT, DELETE, OPTIONS and TRACE may, and what
  // has an Idempotency-Key header. What may not be goes over a connection of its own, because one that others have used
  // may be closing: say true where it does no harm, and connections are shared.
  std::optional<bool> repeatable = {};
  size_t max_response_bytes = 8 << 20;  // of its body
  // Takes the body of an answer with a status 2xx as it comes, in order, on the HTTP loop's thread: it must be quick.
  // False ends the transfer. The answer's body stays empty then.
  std::function<bool(std::string_view)> on_data = {};
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;  // as they came, without those of trailers
  std::string body;

  // The first of that name, in capitals or not; nullptr if there is none.
  const std::string* header(std::string_view name) const;
  bool ok() const { return status >= 200 && status < 300; }
  // The body as JSON; ActivityError "HttpInvalidBody" when it is none.
  json parsed() const;
};

class HttpLoop;
class HttpHost;
class HttpHosts;
struct HttpResult;
struct HttpTarget;

// Calls services: one thread for all transfers, connections kept and shared, retries, and for each origin (scheme, host
// and port) a circuit breaker and a bulkhead. Thread-safe.
//
// Tried again, after a pause that grows and is random, or as long as Retry-After says: what could not be sent; and if the
// request is repeatable 429, 502, 503, 504, a lost connection and a try that took too long. When the tries are used up
// the answer is the last status, whatever it is. Else send() throws ActivityError:
//   HttpTimeout         it took longer than `timeout` or `idle_timeout`; nobody knows whether it was done
//   HttpUnreachable     no connection: it was not sent
//   HttpConnectionLost  the connection ended in the midst of it; nobody knows whether it was done
//   HttpUnavailable     429, 502, 503 or 504, and the pause before the next try is longer than this attempt may take
//   HttpTooLarge        the answer is longer than max_response_bytes (non-retryable)
//   HttpInvalidRequest  the URL or a header is none (non-retryable)
//   CircuitOpen         the service has failed too often of late: it was not sent
//   HttpBusy            too many requests to this origin are waiting already: it was not sent
//   HostStopping        the plugin is being shut down
// or ActivityCancelled when context.cancelled(), which includes the deadline. next_retry_delay_ms is set where it is
// known when trying again is of use. Errors name method and URL without query and user, and no header.
class HttpClient final : public Service {
 public:
  HttpClient(HttpOptions options, Executor& executor);
  ~HttpClient() override;  // stop()

  // Goes on on a thread of the plugin's pool.
  Async<HttpResponse> send(Context& context, HttpRequest request);
  // The same for who has a thread to wait with: activity().
  HttpResponse fetch(Context& context, HttpRequest request);

  // Ends all transfers and waits with "HostStopping", and those that come later. Does not wait for their coroutines.
  void stop() override;

 private:
  Async<HttpResponse> send_on(Executor& executor, Context& context, HttpRequest request);
  Async<HttpResult> try_once(Executor& executor, Context& context, std::shared_ptr<const HttpRequest> request,
                             const HttpTarget& target);

  const HttpOptions options_;
  Executor& executor_;
  std::unique_ptr<HttpHosts> hosts_;
  std::unique_ptr<HttpLoop> loop_;
};

}  // namespace skald::plugin
