#pragma once

#include <string>

#include "temporal/api/failure/v1/message.pb.h"

namespace skald::cli {

// One failure, without its causes, on one line: what kind it is, of what, and its message.
std::string failure_line(const temporal::api::failure::v1::Failure& failure);

// The failure that began it all, on one line.
std::string root_failure_line(const temporal::api::failure::v1::Failure& failure);

// The failure and its causes, a line each, the causes indented and beginning `caused by`. Without a newline at the end.
std::string failure_chain(const temporal::api::failure::v1::Failure& failure);

}  // namespace skald::cli
