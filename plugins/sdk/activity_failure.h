#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "plugins/sdk/activity_error.h"
#include "plugins/sdk/exception_text.h"

namespace skald::plugin {

// What an attempt fails with, as a value that may go from thread to thread.
struct ActivityFailure {
  std::string type, message;
  std::string details;  // JSON, or empty
  bool non_retryable = false;
  int64_t next_retry_delay_ms = 0;
  bool cancelled = false;  // it stopped because it was asked to: no failure at all
};

// From the exception that is being handled; to be called in a catch clause only.
inline ActivityFailure current_failure() {
  ActivityFailure failure;
  try {
    throw;
  } catch (const ActivityCancelled&) {
    failure.cancelled = true;
  } catch (const ActivityError& e) {
    failure = {e.type, e.what(), "", e.non_retryable, e.next_retry_delay_ms};
    if (!e.details.is_null())
      failure.details = e.details.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  } catch (const nlohmann::json::exception& e) {
    failure = {"InvalidInput", e.what(), "", true};
  } catch (...) {
    auto [type, message] = current_exception_text();
    failure.type = std::move(type);
    failure.message = std::move(message);
  }
  return failure;
}

}  // namespace skald::plugin
