#include "plugins/sdk/http_options.h"

#include <filesystem>

namespace skald::plugin {
namespace {

using json = nlohmann::json;

json whole(int64_t least, int64_t most, int64_t otherwise, const char* what) {
  return {{"type", "integer"}, {"minimum", least}, {"maximum", most}, {"default", otherwise}, {"description", what}};
}

void read(const json& section, const char* key, std::chrono::milliseconds& into) {
  if (section.contains(key)) into = std::chrono::milliseconds(section[key].get<int64_t>());
}

template <class T>
void read(const json& section, const char* key, T& into) {
  if (section.contains(key)) into = section[key].get<T>();
}

}  // namespace

const json& http_options_schema() {
  constexpr int64_t kDay = 86400000;
  const HttpOptions o;
  static const json* const schema = new json{
      {"type", "object"},
      {"additionalProperties", false},
      {"description", "How the plugin calls services"},
      {"properties",
       {{"timeout_ms", whole(1, kDay, o.timeout.count(), "Of one try")},
        {"connect_timeout_ms", whole(1, kDay, o.connect_timeout.count(), "Of a try's connection")},
        {"tries", whole(1, 100, o.tries, "Of one request, in all")},
        {"first_retry_ms", whole(0, kDay, o.first_retry.count(), "The longest first pause; the next is twice that")},
        {"max_concurrent_per_host", whole(1, 100000, o.max_concurrent_per_host, "Requests to one service at a time")},
        {"max_waiting_per_host", whole(0, 1000000, o.max_waiting_per_host, "Requests that wait for that")},
        {"breaker_failures", whole(0, 1000000, o.breaker_failures, "In a row, then a service is left in peace")},
        {"breaker_open_ms", whole(1, kDay, o.breaker_open.count(), "For how long it is")},
        {"ca_file", {{"type", "string"}, {"description", "Authorities that are trusted, PEM; none: the system's"}}},
        {"proxy", {{"type", "string"}, {"description", "URL of a proxy; none is used if it is not said"}}}}}};
  return *schema;
}

HttpOptions http_options(const json& section, const std::string& folder) {
  HttpOptions out;
  if (!section.is_object()) return out;
  read(section, "timeout_ms", out.timeout);
  read(section, "connect_timeout_ms", out.connect_timeout);
  read(section, "tries", out.tries);
  read(section, "first_retry_ms", out.first_retry);
  read(section, "max_concurrent_per_host", out.max_concurrent_per_host);
  read(section, "max_waiting_per_host", out.max_waiting_per_host);
  read(section, "breaker_failures", out.breaker_failures);
  read(section, "breaker_open_ms", out.breaker_open);
  read(section, "ca_file", out.ca_file);
  read(section, "proxy", out.proxy);
  if (!out.ca_file.empty()) out.ca_file = (std::filesystem::path(folder) / out.ca_file).string();
  return out;
}

}  // namespace skald::plugin
