#pragma once

#include <string>
#include <string_view>

#include "skald/reflection/v1/reflection.pb.h"

namespace skald::api {

// Whether this is the method of gRPC's server reflection, in either of its two names.
bool is_reflection(std::string_view method);

// What tools like grpcurl ask before they call: which services there are, and how their messages look. All that is in
// the official API is shown, also what is not implemented.
reflection::v1::ServerReflectionResponse reflect(const reflection::v1::ServerReflectionRequest& request);

}  // namespace skald::api
