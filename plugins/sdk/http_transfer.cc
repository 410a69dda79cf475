#include "plugins/sdk/http_transfer.h"

#include <new>
#include <string_view>
#include <utility>

namespace skald::plugin {
namespace {

constexpr size_t kMostHeaderBytes = 256 << 10;
constexpr long kSmallBuffer = 16 << 10;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

bool has(const HttpHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (curl_strnequal(key.c_str(), name.data(), name.size()) != 0 && key.size() == name.size()) return true;
  }
  return false;
}

// Whether an empty body is told of by Content-Length: 0.
bool sends_length(const std::string& method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

}  // namespace

HttpTransfer::HttpTransfer(HttpTry given) : try_(std::move(given)), easy_(curl_easy_init()) {
  if (easy_ == nullptr) throw std::bad_alloc();
  set_up();
}

HttpTransfer::~HttpTransfer() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(headers_);
}

void HttpTransfer::set_up() {
  const HttpRequest& request = *try_.request;
  curl_easy_setopt(easy_, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!try_.ca_file.empty()) {
    curl_easy_setopt(easy_, CURLOPT_CAINFO, try_.ca_file.c_str());
    curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(easy_, CURLOPT_PROXY, try_.proxy.c_str());  // empty: none, nor the environment's
  curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, static_cast<long>(try_.timeout.count()));
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(try_.connect_timeout.count()));
  curl_easy_setopt(easy_, CURLOPT_UPLOAD_BUFFERSIZE, kSmallBuffer);
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, "skald-plugin");
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, problem_);
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &HttpTransfer::on_header);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &HttpTransfer::on_body);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  if (try_.own_connection) {
    curl_easy_setopt(easy_, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy_, CURLOPT_FORBID_REUSE, 1L);
  }
  set_method();
  set_headers();
}

void HttpTransfer::set_method() {
  const HttpRequest& request = *try_.request;
  if (request.method == "HEAD") {
    curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
  } else if (request.body.empty() && !sends_length(request.method)) {
    curl_easy_setopt(easy_, CURLOPT_HTTPGET, 1L);
  } else {
    curl_easy_setopt(easy_, CURLOPT_POST, 1L);
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  }
  curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void HttpTransfer::set_headers() {
  const auto append = [this](const std::string& line) {
    curl_slist* const longer = curl_slist_append(headers_, line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    headers_ = longer;
  };
  const HttpHeaders& headers = try_.request->headers;
  for (const auto& [name, value] : headers) append(value.empty() ? name + ";" : name + ": " + value);
  // What libcurl would add by itself.
  if (!has(headers, "Expect")) append("Expect:");
  if (!has(headers, "Content-Type")) append("Content-Type:");
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
}

size_t HttpTransfer::on_header(char* data, size_t size, size_t count, void* self) {
  auto* const transfer = static_cast<HttpTransfer*>(self);
  return transfer->take_header({data, size * count}) ? size * count : CURL_WRITEFUNC_ERROR;
}

size_t HttpTransfer::on_body(char* data, size_t size, size_t count, void* self) {
  auto* const transfer = static_cast<HttpTransfer*>(self);
  return transfer->take_body({data, size * count}) ? size * count : CURL_WRITEFUNC_ERROR;
}

bool HttpTransfer::take_header(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMostHeaderBytes) {
    too_large_ = true;
    return false;
  }
  if (in_body_) return true;  // a trailer
  if (line.substr(0, 5) == "HTTP/") {
    result_.response.headers.clear();  // those of an interim answer
    return true;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  result_.response.headers.emplace_back(trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
  return true;
}

bool HttpTransfer::take_body(std::string_view data) {
  last_byte_ = Clock::now();
  if (!in_body_) {
    in_body_ = true;
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    result_.streamed = try_.request->on_data != nullptr && status >= 200 && status < 300;
  }
  body_bytes_ += data.size();
  too_large_ = body_bytes_ > try_.request->max_response_bytes;
  if (too_large_) return false;
  if (result_.streamed) {
    try {
      ended_by_caller_ = !try_.request->on_data(data);
    } catch (...) {
      result_.thrown = std::current_exception();
    }
    return !ended_by_caller_ && result_.thrown == nullptr;
  }
  result_.response.body.append(data);
  return true;
}

bool HttpTransfer::idle_too_long() const {
  const auto most = try_.request->idle_timeout;
  return most > std::chrono::milliseconds(0) && last_byte_ && Clock::now() - *last_byte_ > most;
}

HttpResult::Kind HttpTransfer::kind_of(CURLcode code) const {
  using Kind = HttpResult::Kind;
  if (result_.thrown != nullptr) return Kind::kThrown;
  if (too_large_) return Kind::kTooLarge;
  if (code == CURLE_OK || ended_by_caller_) return Kind::kAnswer;
  long sent = 0;
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &sent);
  const bool no_request =
      code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_BAD_FUNCTION_ARGUMENT;
  if (sent == 0) return no_request ? Kind::kInvalid : Kind::kUnreachable;
  return code == CURLE_OPERATION_TIMEDOUT ? Kind::kTimeout : Kind::kLost;
}

std::string HttpTransfer::sentence(HttpResult::Kind kind, CURLcode code) const {
  switch (kind) {
    case HttpResult::Kind::kTooLarge:
      return "the answer has more than " + std::to_string(try_.request->max_response_bytes) + " bytes";
    case HttpResult::Kind::kTimeout:
      return "it took longer than " + std::to_string(try_.timeout.count()) + " ms";
    default:
      return problem_[0] != 0 ? problem_ : curl_easy_strerror(code);
  }
}

void HttpTransfer::finish(CURLcode code) {
  const HttpResult::Kind kind = kind_of(code);
  if (kind != HttpResult::Kind::kAnswer) return finish(kind, sentence(kind, code));
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  result_.response.status = static_cast<int>(status);
  finish(kind, "");
}

void HttpTransfer::finish(HttpResult::Kind kind, const std::string& why) {
  result_.kind = kind;
  result_.why = why;
  try_.done(std::move(result_));
}

}  // namespace skald::plugin
