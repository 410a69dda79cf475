#include <algorithm>
#include <cctype>

#include "plugins/sdk/http.h"

namespace skald::plugin {

const std::string* HttpResponse::header(std::string_view name) const {
  const auto same = [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); };
  for (const auto& [key, value] : headers) {
    if (std::equal(key.begin(), key.end(), name.begin(), name.end(), same)) return &value;
  }
  return nullptr;
}

json HttpResponse::parsed() const {
  json out = json::parse(body, nullptr, false);
  if (out.is_discarded()) {
    throw ActivityError("HttpInvalidBody",
                        "the service answered with status " + std::to_string(status) + " and a body that is not JSON");
  }
  return out;
}

}  // namespace skald::plugin
