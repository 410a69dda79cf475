#include "plugins/erp/erp_call.h"

#include <charconv>
#include <utility>

#include "plugins/sdk/fields.h"
#include "plugins/sdk/http_url.h"

namespace skald::plugin::erp {
namespace {

constexpr int64_t kUnauthorizedDelayMs = 30000;  // somebody has to give us another key
constexpr int64_t kMostDelaySeconds = 3600;
constexpr size_t kShown = 200;  // of an answer, in an error

// What an answer says of a failure: an object, whatever the answer is. A bare text is the message.
json error_of(const json& body) {
  const json error = body.is_object() ? body.value("error", json()) : json();
  if (error.is_object()) return error;
  return error.is_string() ? json{{"message", error}} : json::object();
}

std::string text_in(const json& error, const char* field) {
  const auto found = error.find(field);
  return found != error.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// ASCII: it may be cut anywhere.
std::string shown(const json& value) { return value.dump(-1, ' ', true).substr(0, kShown); }

[[noreturn]] void throw_unreadable(const std::string& what) { throw ActivityError("ErpUnreadable", what); }

// A field that is null is not there.
void check_field(json& record, const char* field, bool (*is_right)(const json&), const char* expected) {
  const auto found = record.find(field);
  if (found == record.end()) return;
  if (found->is_null()) {
    record.erase(found);
  } else if (!is_right(*found)) {
    throw_unreadable(std::string("the ERP gave a record whose ") + field + " is not " + expected + ": " +
                     shown(*found));
  }
}

int64_t delay_ms(const HttpResponse& response) {
  const std::string* said = response.header("Retry-After");
  int64_t seconds = 0;
  if (said == nullptr) return 0;
  const char* end = said->data() + said->size();
  if (std::from_chars(said->data(), end, seconds).ptr != end || seconds < 0) return 0;
  return std::min(seconds, kMostDelaySeconds) * 1000;
}

json body_of(const HttpResponse& response, bool required) {
  json body = response.body.empty() ? json() : json::parse(response.body, nullptr, false);
  if (!body.is_discarded()) return body;
  if (required) throw_unreadable("the ERP's answer is not JSON");
  return nullptr;
}

[[noreturn]] void throw_trouble(const ErpCall& call, const HttpResponse& response, const ErpReply& reply) {
  const std::string message = reply.message();
  const std::string said =
      call.method + " " + call.path + ": " + std::to_string(reply.status) + (message.empty() ? "" : " " + message);
  if (reply.status == 401 || reply.status == 403)
    throw ActivityError("ErpUnauthorized", said, false, nullptr, kUnauthorizedDelayMs);
  if (reply.status == 429) throw ActivityError("ErpBusy", said, false, nullptr, delay_ms(response));
  if (reply.status >= 500) throw ActivityError("ErpUnavailable", said, false, nullptr, delay_ms(response));
  // A redirection, or a path that nobody serves: that is not the ERP's word on a record, but a wrong address.
  if (reply.status < 400 || reply.not_found()) throw_unreadable(said);
  if (reply.code() == "idempotency_conflict") throw ActivityError("IdempotencyConflict", said, true);
  refuse(reply);
}

}  // namespace

std::string ErpReply::code() const { return text_in(error_of(body), "code"); }

std::string ErpReply::message() const { return text_in(error_of(body), "message"); }

json ErpReply::record() const { return checked_record(body); }

json ErpReply::current() const {
  const json found = body.is_object() ? body.value("current", json()) : json();
  return found.is_null() ? found : checked_record(found);
}

json ErpReply::page() const {
  if (!body.is_object() || !body.contains("records") || !body["records"].is_array())
    throw_unreadable("the ERP's answer is no page of records");
  json page = body;
  for (json& record : page["records"]) record = checked_record(std::move(record));
  if (page.value("next", json("")).is_null()) page.erase("next");
  const bool right = page.value("next", json("")).is_string() && page.value("more", json(false)).is_boolean();
  if (!right || (page.value("more", false) && page.value("next", "").empty()))
    throw_unreadable("the ERP's page of records does not say where the next one is");
  return page;
}

bool ErpReply::is_version_conflict() const {
  return status == 412 || status == 428 || (status == 409 && code() == "version_conflict");
}

void refuse(const ErpReply& reply) {
  json details = error_of(reply.body);
  details["status"] = reply.status;
  const std::string message = reply.message();
  throw ActivityError("ErpRefused", "the ERP refuses: " + (message.empty() ? std::to_string(reply.status) : message),
                      true, std::move(details));
}

json checked_record(json record) {
  if (!record.is_object()) throw_unreadable("the ERP's answer is no record: " + shown(record));
  const auto is_text = [](const json& value) { return value.is_string(); };
  const auto is_whole = [](const json& value) { return value.is_number_integer(); };
  for (const char* field : {"id", "sku", "reference", "state"}) check_field(record, field, is_text, "a text");
  for (const char* field : {"version", "received", "updated_at_ms"})
    check_field(record, field, is_whole, "a whole number");
  return record;
}

Async<ErpReply> call_erp(Desk& desk, Context& context, ErpCall call) {
  HttpRequest request;
  request.method = call.method;
  request.url = desk.url() + call.path;
  request.headers.emplace_back("Authorization", "Bearer " + desk.api_key());
  if (!call.body.is_null()) {
    request.body = call.body.dump();
    request.headers.emplace_back("Content-Type", "application/json");
  }
  if (!call.key.empty()) request.headers.emplace_back("Idempotency-Key", percent_encoded(call.key));
  if (call.version > 0) request.headers.emplace_back("If-Match", "\"" + std::to_string(call.version) + "\"");
  const HttpResponse response = co_await desk.client().send(context, std::move(request));
  ErpReply reply{response.status, nullptr};
  reply.body = body_of(response, response.ok());
  const bool is_about_request = reply.ok() || (reply.not_found() && !reply.code().empty()) || reply.status == 409 ||
                                reply.status == 412 || reply.status == 428;
  if (!is_about_request) throw_trouble(call, response, reply);
  co_return reply;
}

}  // namespace skald::plugin::erp
