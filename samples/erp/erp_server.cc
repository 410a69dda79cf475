#include "samples/erp/erp_server.h"

#include <charconv>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace skald::erp {
namespace {

using Kind = CallFault::Kind;

constexpr std::chrono::seconds kHeldPatience(10);

// "{id}" takes the rest of a path, or what is before a verb at its end.
std::string expression(const std::string& pattern) {
  const size_t id = pattern.find("{id}");
  if (id == std::string::npos) return pattern;
  return pattern.substr(0, id) + "(.+)" + pattern.substr(id + 4);
}

Version version_of(const httplib::Request& http) {
  if (!http.has_header("If-Match")) return std::nullopt;
  const std::string tag = http.get_header_value("If-Match");
  int64_t version = 0;
  const bool quoted = tag.size() > 2 && tag.front() == '"' && tag.back() == '"';
  const char* begin = tag.data() + (quoted ? 1 : 0);
  const char* end = tag.data() + tag.size() - (quoted ? 1 : 0);
  if (std::from_chars(begin, end, version).ptr != end)
    throw Refusal{400, "bad_request", "If-Match must be a version as ETag gives it", nullptr, nullptr};
  return version;
}

}  // namespace

ErpServer::ErpServer(ErpOptions options) : options_(std::move(options)) {
  add_catalogue_routes();
  add_order_routes();
  add_sandbox_routes();
  set_faults(options_.faults);
  if (options_.port == 0) {
    port_ = bind_to_any_port("127.0.0.1");
  } else if (bind_to_port("127.0.0.1", options_.port)) {
    port_ = options_.port;
  }
  if (port_ <= 0) throw std::runtime_error("cannot serve on port " + std::to_string(options_.port) + ": is it in use?");
  queue_many();
  thread_ = std::thread([this] { listen_after_bind(); });
  while (!is_running()) std::this_thread::yield();
}

ErpServer::~ErpServer() {
  set_faults(json::object());
  stop();
  thread_.join();
}

void ErpServer::set_faults(const json& plan) {
  std::lock_guard lock(mutex_);
  faults_ = FaultPlan(plan, routes_);
  ++plan_;
  held_changed_.notify_all();
}

json ErpServer::books() {
  std::lock_guard lock(mutex_);
  json all = books_.everything();
  all["calls"] = calls_;
  all["faults"] = troubles_;
  all["answers"] = answers_;
  all["replayed"] = replayed_;
  all["repeated"] = repeated_;
  all["found_by_reference"] = found_;
  return all;
}

bool ErpServer::wait_for_held() {
  std::unique_lock lock(mutex_);
  return held_changed_.wait_for(lock, kHeldPatience, [this] { return held_ > 0; });
}

void ErpServer::add(const std::string& method, const std::string& pattern, httplib::Server::Handler handler) {
  const std::string path = expression(pattern);
  if (method == "GET")
    Get(path, std::move(handler));
  else if (method == "PUT")
    Put(path, std::move(handler));
  else
    Post(path, std::move(handler));
}

void ErpServer::api(const std::string& method, const std::string& pattern, Handler handler) {
  const std::string route = method + " " + pattern;
  routes_.push_back(route);
  add(method, pattern,
      [this, route, handler = std::move(handler)](const httplib::Request& http, httplib::Response& out) {
        serve(route, handler, http, out);
      });
}

// Neither keys nor faults.
void ErpServer::sandbox(const std::string& method, const std::string& pattern, Handler handler) {
  add(method, pattern, [this, handler = std::move(handler)](const httplib::Request& http, httplib::Response& out) {
    try {
      write(handler(read(http)), out);
    } catch (const Refusal& refusal) {
      write({refusal.status, refusal.body()}, out);
    }
  });
}

ErpServer::Request ErpServer::read(const httplib::Request& http) const {
  Request request{http, json::object(), version_of(http), http.matches.size() > 1 ? http.matches[1].str() : ""};
  if (http.body.empty()) return request;
  request.body = json::parse(http.body, nullptr, false);
  if (request.body.is_discarded()) throw Refusal{400, "bad_request", "the body is not JSON"};
  return request;
}

CallFault ErpServer::begin(const std::string& route, const std::string& key) {
  std::unique_lock lock(mutex_);
  ++calls_[route];
  if (!key.empty() && !keys_.insert(key).second) ++repeated_;
  const CallFault fault = faults_.next(route);
  if (fault.kind != Kind::kNone) ++troubles_[name(fault.kind)];
  if (fault.kind == Kind::kHold) {
    ++held_;
    held_changed_.notify_all();
    held_changed_.wait(lock, [this, plan = plan_] { return plan_ != plan; });
    --held_;
  }
  return fault;
}

void ErpServer::serve(const std::string& route, const Handler& handler, const httplib::Request& http,
                      httplib::Response& out) {
  const CallFault fault = begin(route, http.get_header_value("Idempotency-Key"));
  if (fault.kind == Kind::kDrop) return deliver(Delivery::kNothing);
  if (fault.kind == Kind::kLate) std::this_thread::sleep_for(fault.time);
  Answer answer;
  try {
    answer = act(fault, handler, http);
  } catch (const Refusal& refusal) {
    answer = {refusal.status, refusal.body()};
  }
  if (answer.status == 429 || answer.status >= 500) {
    if (fault.retry_after >= 0) out.set_header("Retry-After", std::to_string(fault.retry_after));
  }
  {
    std::lock_guard lock(mutex_);
    ++answers_[std::to_string(answer.status)];
  }
  write(answer, out);
  if (fault.kind == Kind::kSlow) std::this_thread::sleep_for(fault.time);
  if (fault.kind == Kind::kLoseAnswer) deliver(Delivery::kNothing);
  if (fault.kind == Kind::kCut) deliver(Delivery::kHalf);
}

ErpServer::Answer ErpServer::act(const CallFault& fault, const Handler& handler, const httplib::Request& http) {
  if (fault.kind == Kind::kBusy) throw Refusal{429, "too_many_requests", "too many requests: come again later"};
  if (fault.kind == Kind::kError) throw Refusal{fault.status, "trouble", "the ERP has trouble of its own"};
  if (http.get_header_value("Authorization") != "Bearer " + options_.api_key)
    throw Refusal{401, "unauthorized", "say in Authorization: Bearer … who you are"};
  const Request request = read(http);
  std::lock_guard lock(mutex_);
  if (fault.kind == Kind::kRival) {
    for (const char* kind : {"items", "stock", "orders", "work_orders"}) books_.records(kind).expect_rival();
  }
  return once(handler, request);
}

// What was done under an idempotency key is answered again. What was refused was not done.
ErpServer::Answer ErpServer::once(const Handler& handler, const Request& request) {
  const std::string key = request.http.get_header_value("Idempotency-Key");
  if (key.empty() || request.http.method == "GET") return handler(request);
  const std::string fingerprint = request.http.method + " " + request.http.path + " " + request.body.dump();
  if (const auto done = done_.find(key); done != done_.end()) {
    if (done->second.fingerprint != fingerprint)
      throw Refusal{422, "idempotency_conflict", "another request had this idempotency key"};
    ++replayed_;
    return done->second.answer;
  }
  Answer answer = handler(request);
  done_[key] = {fingerprint, answer};
  return answer;
}

void ErpServer::write(const Answer& answer, httplib::Response& out) {
  out.status = answer.status;
  if (answer.body.is_object() && answer.body.contains("version"))
    out.set_header("ETag", "\"" + answer.body["version"].dump() + "\"");
  out.set_content(answer.body.dump(), "application/json");
}

}  // namespace skald::erp
