#include "plugins/erp/erp_call.h"

#include <cctype>
#include <charconv>
#include <utility>

#include "plugins/sdk/fields.h"

namespace skald::plugin::erp {
namespace {

constexpr int64_t kUnauthorizedDelayMs = 30000;  // somebody has to give us another key
constexpr int64_t kMostDelaySeconds = 3600;

json error_of(const json& body) { return body.is_object() ? body.value("error", json::object()) : json::object(); }

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
  if (required) throw ActivityError("ErpUnreadable", "the ERP's answer is not JSON");
  return nullptr;
}

[[noreturn]] void throw_trouble(const ErpCall& call, const HttpResponse& response, const ErpReply& reply) {
  const std::string said = call.method + " " + call.path + ": " + std::to_string(reply.status) + " " + reply.message();
  if (reply.status == 401 || reply.status == 403)
    throw ActivityError("ErpUnauthorized", said, false, nullptr, kUnauthorizedDelayMs);
  if (reply.status == 429) throw ActivityError("ErpBusy", said, false, nullptr, delay_ms(response));
  if (reply.status >= 500) throw ActivityError("ErpUnavailable", said, false, nullptr, delay_ms(response));
  if (reply.code() == "idempotency_conflict") throw ActivityError("IdempotencyConflict", said, true);
  refuse(reply);
}

}  // namespace

std::string ErpReply::code() const { return error_of(body).value("code", ""); }

std::string ErpReply::message() const { return error_of(body).value("message", ""); }

bool ErpReply::is_version_conflict() const {
  return status == 412 || status == 428 || (status == 409 && code() == "version_conflict");
}

void refuse(const ErpReply& reply) {
  json details = error_of(reply.body);
  details["status"] = reply.status;
  throw ActivityError("ErpRefused", "the ERP refuses: " + reply.message(), true, std::move(details));
}

std::string url_part(const std::string& text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
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
  if (!call.key.empty()) request.headers.emplace_back("Idempotency-Key", url_part(call.key));
  if (call.version > 0) request.headers.emplace_back("If-Match", "\"" + std::to_string(call.version) + "\"");
  const HttpResponse response = co_await desk.client().send(context, std::move(request));
  ErpReply reply{response.status, nullptr};
  reply.body = body_of(response, response.ok());
  const bool is_about_request =
      reply.ok() || reply.status == 404 || reply.status == 409 || reply.status == 412 || reply.status == 428;
  if (!is_about_request) throw_trouble(call, response, reply);
  co_return reply;
}

}  // namespace skald::plugin::erp
