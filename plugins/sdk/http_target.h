#pragma once

#include <string>

#include "plugins/sdk/http.h"

namespace skald::plugin {

// Where a request goes.
struct HttpTarget {
  std::string origin;  // "http://host:80"
  std::string shown;   // "GET http://host/path": without query, user and password, for people
};

// Throws ActivityError "HttpInvalidRequest", for good, when the method, the URL or a header is none, or the URL is not
// http or https.
HttpTarget http_target(const HttpRequest& request);

// Whether it may be sent again once it has reached the service.
bool is_repeatable(const HttpRequest& request);

}  // namespace skald::plugin
