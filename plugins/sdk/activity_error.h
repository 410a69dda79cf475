#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

namespace skald::plugin {

// What an activity throws to fail with a type of its own. Any other exception becomes a retryable failure whose type is
// the exception's class and whose message is its text.
struct ActivityError : std::runtime_error {
  ActivityError(std::string type_, const std::string& message, bool non_retryable_ = false,
                nlohmann::json details_ = nullptr, int64_t next_retry_delay_ms_ = 0)
      : std::runtime_error(message),
        type(std::move(type_)),
        non_retryable(non_retryable_),
        details(std::move(details_)),
        next_retry_delay_ms(next_retry_delay_ms_) {}

  std::string type;
  bool non_retryable;
  nlohmann::json details;
  int64_t next_retry_delay_ms;
};

// What an activity throws to say that it stopped because it was asked to.
struct ActivityCancelled {};

}  // namespace skald::plugin
