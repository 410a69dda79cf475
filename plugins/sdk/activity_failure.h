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

// What nlohmann's library says of an input that an author's code reads without asking, as a sentence.
inline std::string sentence_of(const nlohmann::json::exception& e) {
  constexpr int kNoJson = 101, kOtherType = 302, kNoObject = 304, kNoKey = 403;
  const std::string text = e.what();  // "[json.exception.out_of_range.403] key 'amount' not found"
  const size_t end = text.find("] ");
  const std::string said = end == std::string::npos ? text : text.substr(end + 2);
  const size_t name = said.find('\''), name_end = said.rfind('\'');
  if (e.id == kNoJson) return "the input is not JSON";
  if (e.id == kNoObject) return "the input must be a JSON object";
  if (e.id == kNoKey && name < name_end)
    return "the field " + said.substr(name + 1, name_end - name - 1) + " is missing";
  if (e.id == kOtherType && said.rfind("type must be ", 0) == 0)
    return "a field of the input has a wrong type: it" + said.substr(4);
  return "the input is not what this activity reads: " + said;
}

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
    failure = {"InvalidInput", sentence_of(e), "", true};
  } catch (...) {
    auto [type, message] = current_exception_text();
    failure.type = std::move(type);
    failure.message = std::move(message);
  }
  return failure;
}

}  // namespace skald::plugin
