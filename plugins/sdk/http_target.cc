#include "plugins/sdk/http_target.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <memory>
#include <string_view>

#include <curl/curl.h>

namespace skald::plugin {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw ActivityError("HttpInvalidRequest", what, true); }

// A token of HTTP: a method, or a header's name.
bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [kMarks](unsigned char c) {
    return (c < 128 && std::isalnum(c) != 0) || kMarks.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_header_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return (c < ' ' && c != '\t') || c == 127; });
}

using UrlHandle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string part(const UrlHandle& url, CURLUPart what, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), what, &text, flags) != CURLUE_OK) return {};
  std::string out = text;
  curl_free(text);
  return out;
}

std::string capitals(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::toupper(c); });
  return out;
}

}  // namespace

HttpTarget http_target(const HttpRequest& request) {
  if (!is_token(request.method)) refuse("the method of an HTTP request must be a word like GET");
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name)) refuse("an HTTP header's name must be a word: letters, digits and hyphens");
    if (!is_header_value(value)) refuse("the HTTP header " + name + " must not have line breaks or control characters");
  }
  const UrlHandle url(curl_url(), &curl_url_cleanup);
  const bool plain = is_header_value(request.url) && request.url.find(' ') == std::string::npos;
  if (!plain || curl_url_set(url.get(), CURLUPART_URL, request.url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    refuse("the URL of an HTTP request cannot be read: it must be like https://host:port/path, without spaces");
  const std::string scheme = part(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https")
    refuse("the URL's scheme is " + scheme + ": only http and https are there");
  const std::string place = scheme + "://" + part(url, CURLUPART_HOST), port = part(url, CURLUPART_PORT);
  return {place + ":" + part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT),
          request.method + " " + place + (port.empty() ? "" : ":" + port) + part(url, CURLUPART_PATH)};
}

bool is_repeatable(const HttpRequest& request) {
  if (request.repeatable) return *request.repeatable;
  constexpr std::string_view kIdempotent[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  if (std::find(std::begin(kIdempotent), std::end(kIdempotent), request.method) != std::end(kIdempotent)) return true;
  return std::any_of(request.headers.begin(), request.headers.end(), [](const auto& header) {
    return capitals(header.first) == "IDEMPOTENCY-KEY" && !header.second.empty();
  });
}

}  // namespace skald::plugin
