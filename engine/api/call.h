#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <map>
#include <memory>
#include <string>

#include "engine/base/cancellation.h"

namespace skald::api {

// One request on its way through the API: its bytes, and where the answer goes.
struct RawCall {
  std::string request;
  absl::Time deadline = absl::InfiniteFuture();
  std::shared_ptr<base::Cancellation> cancellation;
  // Called exactly once, on any thread, with the response's wire form.
  absl::AnyInvocable<void(absl::StatusOr<std::string>)> reply;
};

using Handler = absl::AnyInvocable<void(RawCall) const>;

// The methods that work, by full name (`/package.Service/Method`). All others of the services are answered as not implemented.
using Methods = std::map<std::string, Handler, std::less<>>;

}  // namespace skald::api
