#include <algorithm>
#include <random>
#include <utility>

#include "plugins/sdk/http.h"
#include "plugins/sdk/http_hosts.h"
#include "plugins/sdk/http_loop.h"
#include "plugins/sdk/http_retry.h"
#include "plugins/sdk/http_target.h"
#include "plugins/sdk/own_thread.h"
#include "plugins/sdk/wait.h"

namespace skald::plugin {
namespace {

using std::chrono::milliseconds;
using Kind = HttpResult::Kind;
using Outcome = CircuitBreaker::Outcome;

// What had less time than this because its attempt was ending says nothing about the service.
constexpr milliseconds kFairTime(1000);

double chance() {
  thread_local std::mt19937 random(std::random_device{}());
  return std::uniform_real_distribution<double>(0, 1)(random);
}

Outcome outcome_of(const HttpResult& result, bool cut_short) {
  switch (result.kind) {
    case Kind::kAnswer:
      return result.response.status >= 500 ? Outcome::kFailure : Outcome::kSuccess;
    case Kind::kTooLarge:
      return Outcome::kSuccess;
    case Kind::kLost:
      return Outcome::kFailure;
    case Kind::kUnreachable:
    case Kind::kTimeout:
      return cut_short ? Outcome::kUnknown : Outcome::kFailure;
    default:
      return Outcome::kUnknown;
  }
}

// Why somebody who waited is told that he does not any more.
[[noreturn]] void throw_given_up(const Context& context) {
  if (context.cancelled()) throw ActivityCancelled();
  throw host_stopping();
}

[[noreturn]] void throw_circuit_open(const std::string& shown, milliseconds wait) {
  throw ActivityError("CircuitOpen",
                      shown + " was not sent: the service has failed too often of late, and is left in peace for " +
                          std::to_string(wait.count()) + " ms",
                      false, nullptr, wait.count());
}

constexpr const char* kNobodyKnows = "; nobody knows whether it was done";

// What a try that brought no answer fails the attempt with.
ActivityError error_of(const HttpResult& result, const std::string& shown, milliseconds next) {
  switch (result.kind) {
    case Kind::kUnreachable:
      return {"HttpUnreachable", shown + " was not sent: " + result.why, false, nullptr, next.count()};
    case Kind::kTimeout:
      return {"HttpTimeout", shown + ": " + result.why + kNobodyKnows, false, nullptr, next.count()};
    case Kind::kLost:
      return {"HttpConnectionLost", shown + ": the connection was lost: " + result.why + kNobodyKnows, false, nullptr,
              next.count()};
    case Kind::kTooLarge:
      return {"HttpTooLarge", shown + ": " + result.why, true};
    default:
      return {"HttpInvalidRequest", shown + ": " + result.why, true};
  }
}

ActivityError unavailable(int status, const std::string& shown, milliseconds next) {
  return {"HttpUnavailable",
          shown + " was answered with status " + std::to_string(status) + ", and is to be tried again after " +
              std::to_string(next.count()) + " ms, which is longer than this attempt may wait",
          false,
          {{"status", status}},
          next.count()};
}

}  // namespace

HttpClient::HttpClient(HttpOptions options, Executor& executor)
    : options_(std::move(options)),
      executor_(executor),
      hosts_(std::make_unique<HttpHosts>(options_)),
      loop_(std::make_unique<HttpLoop>([this] { hosts_->sweep(); })) {}

HttpClient::~HttpClient() { stop(); }

void HttpClient::stop() {
  hosts_->stop();
  loop_->stop();
}

Async<HttpResponse> HttpClient::send(Context& context, HttpRequest request) {
  return send_on(executor_, context, std::move(request));
}

Async<HttpResult> HttpClient::try_once(Executor& executor, Context& context, std::shared_ptr<const HttpRequest> request,
                                       const HttpTarget& target) {
  const std::shared_ptr<HttpHost> host = hosts_->at(target.origin);
  if (const milliseconds shut = host->shut_for(); shut > milliseconds(0)) throw_circuit_open(target.shown, shut);
  // It is asked by other threads, for as long as somebody waits.
  const std::function<bool()> gone = [kept = context.weak_from_this().lock(), &context] { return context.cancelled(); };
  Waiting<Bulkhead::Place> entering(
      executor, [&host, &gone](Bulkhead::Tell tell) { host->bulkhead->enter(gone, std::move(tell)); });
  const Bulkhead::Place place = co_await entering;
  if (place.kind() == Bulkhead::Place::Kind::kGone) throw_given_up(context);
  if (place.kind() == Bulkhead::Place::Kind::kFull) {
    throw ActivityError("HttpBusy", target.shown +
                                        " was not sent: " + std::to_string(options_.max_concurrent_per_host) +
                                        " requests to this service are under way, and " +
                                        std::to_string(options_.max_waiting_per_host) + " wait");
  }
  CircuitPass pass(*host);
  if (!pass.allowed()) throw_circuit_open(target.shown, pass.wait());
  if (context.cancelled()) throw ActivityCancelled();
  const milliseconds wanted = request->timeout > milliseconds(0) ? request->timeout : options_.timeout;
  const milliseconds timeout = std::clamp(context.remaining(), milliseconds(1), wanted);
  HttpTry given;
  given.request = request;
  given.timeout = timeout;
  given.connect_timeout = std::min(options_.connect_timeout, timeout);
  given.own_connection = !is_repeatable(*request);
  given.ca_file = options_.ca_file;
  given.proxy = options_.proxy;
  given.gone = gone;
  Waiting<HttpResult> transfer(executor, [this, &given](Waiting<HttpResult>::Tell tell) {
    given.done = std::move(tell);
    loop_->start(std::move(given));
  });
  HttpResult result = co_await transfer;
  pass.record(outcome_of(result, timeout < wanted && timeout < kFairTime));
  co_return result;
}

Async<HttpResponse> HttpClient::send_on(Executor& executor, Context& context, HttpRequest request) {
  const HttpTarget target = http_target(request);
  const RetryRules rules{request.tries > 0 ? request.tries : options_.tries, options_.first_retry,
                         is_repeatable(request)};
  const auto shared = std::make_shared<const HttpRequest>(std::move(request));
  for (int tried = 1;; ++tried) {
    if (context.cancelled()) throw ActivityCancelled();
    Async<HttpResult> trying = try_once(executor, context, shared, target);
    HttpResult result = co_await trying;
    if (result.kind == Kind::kThrown) std::rethrow_exception(result.thrown);
    if (result.kind == Kind::kGone || result.kind == Kind::kStopped) throw_given_up(context);
    const RetryPlan plan =
        plan_retry(result, rules, tried, context.remaining(), chance(), std::chrono::system_clock::now());
    const bool answered = result.kind == Kind::kAnswer;
    if (plan.next == RetryPlan::Next::kTooLate && answered)
      throw unavailable(result.response.status, target.shown, plan.wait);
    if (plan.next != RetryPlan::Next::kAgain) {
      if (!answered) throw error_of(result, target.shown, plan.wait);
      co_return std::move(result.response);
    }
    Async<void> pausing = pause(executor, context, plan.wait);
    co_await pausing;
  }
}

namespace {

struct Fetched {
  std::optional<HttpResponse> response;
  std::exception_ptr thrown;
  bool done = false;
};

Detached fetch_into(Fetched& fetched, Async<HttpResponse> sending) {
  try {
    HttpResponse response = co_await sending;
    fetched.response = std::move(response);
  } catch (...) {
    fetched.thrown = std::current_exception();
  }
  fetched.done = true;
}

}  // namespace

HttpResponse HttpClient::fetch(Context& context, HttpRequest request) {
  OwnThread own(executor_);
  Fetched fetched;
  fetch_into(fetched, send_on(own, context, std::move(request)));
  own.work(fetched.done);
  if (fetched.thrown) std::rethrow_exception(fetched.thrown);
  return *std::move(fetched.response);
}

}  // namespace skald::plugin
