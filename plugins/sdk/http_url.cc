#include "plugins/sdk/http_url.h"

#include <algorithm>
#include <stdexcept>

#include "plugins/sdk/activity_error.h"

namespace skald::plugin {
namespace {

[[noreturn]] void refuse_url(const std::string& what) { throw ActivityError("HttpInvalidRequest", what, true); }

void check_printable(std::string_view text, const std::string& what) {
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 127; }))
    refuse_url(what + " has a control character");
}

}  // namespace

std::string percent_encoded(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

Url::Url(std::string_view base) : text_(base) {
  check_printable(base, "a URL");
  if (base.find_first_of("?# ") != std::string_view::npos)
    refuse_url("what a URL begins with must have no query, no # and no space: add these by query() and segment()");
  while (text_.ends_with('/')) text_.pop_back();
}

Url& Url::segment(std::string_view text) {
  if (has_query_) throw std::logic_error("a URL's path ends where its query begins: call segment() before query()");
  check_printable(text, "a segment of a URL's path");
  if (text.empty() || text == "." || text == "..")
    refuse_url("a segment of a URL's path must not be '" + std::string(text) + "': it would name another place");
  text_ += "/" + percent_encoded(text);
  return *this;
}

Url& Url::query(std::string_view name, std::string_view value) {
  check_printable(name, "a name in a URL's query");
  check_printable(value, "a value in a URL's query");
  text_ += (has_query_ ? "&" : "?") + percent_encoded(name) + "=" + percent_encoded(value);
  has_query_ = true;
  return *this;
}

}  // namespace skald::plugin
