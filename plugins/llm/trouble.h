#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "plugins/sdk/activity_error.h"

namespace skald::plugin::llm {

// Why a model has not decided.
enum class Reason { kTimeout, kUnavailable, kCircuitOpen, kRefused, kInvalidOutput, kBudget };

// "timeout", "unavailable", "circuit_open" …: as decisions by rule have it.
const char* reason_name(Reason reason);

// The beginning of a text that others wrote: at most so many bytes, and no UTF-8 character cut in two.
std::string beginning_of(std::string_view text, size_t most);

struct Trouble : std::runtime_error {
  Trouble(Reason reason_, const std::string& sentence, bool non_retryable_ = false, int64_t next_retry_delay_ms_ = 0)
      : std::runtime_error(sentence),
        reason(reason_),
        non_retryable(non_retryable_),
        next_retry_delay_ms(next_retry_delay_ms_) {}

  Reason reason;
  bool non_retryable;
  int64_t next_retry_delay_ms;

  ActivityError as_failure() const;  // for who has no rule to fall back on
};

// Of an answer that cannot even be read: no fault of the activity's input.
Trouble unreadable(const std::exception& e);

}  // namespace skald::plugin::llm
