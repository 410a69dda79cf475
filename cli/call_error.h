#pragma once

#include <string>
#include <string_view>

#include <grpcpp/support/status.h>

#include "cli/outcome.h"

namespace skald::cli {

// What a call that failed means to the user, and what to do next. `address` is the server's, `connected` whether it was
// reached, `patience` how long the call was to wait, as text.
Outcome explain(const grpc::Status& status, std::string_view address, bool connected, std::string_view patience);

}  // namespace skald::cli
