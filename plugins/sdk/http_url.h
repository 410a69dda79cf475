#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace skald::plugin {

// Every byte but letters, digits and "-._~" as %XX.
std::string percent_encoded(std::string_view text);

// A URL, or the part of one that follows the host, whose parts may come from anywhere:
//   Url(config()["url"]).segment("quotes").segment(sku).query("currency", currency).text()
// What is not to be in a URL throws ActivityError "HttpInvalidRequest", for good: a control character; a segment that is
// empty, "." or "..", which would name another place.
class Url {
 public:
  // What the parts are added to, as its author wrote it; a slash at its end is not needed. It has no query.
  explicit Url(std::string_view base);

  Url& segment(std::string_view text);  // of the path
  Url& segment(int64_t number) { return segment(std::to_string(number)); }
  Url& query(std::string_view name, std::string_view value);
  Url& query(std::string_view name, int64_t value) { return query(name, std::to_string(value)); }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool has_query_ = false;
};

}  // namespace skald::plugin
