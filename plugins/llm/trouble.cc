#include "plugins/llm/trouble.h"

namespace skald::plugin::llm {

const char* reason_name(Reason reason) {
  switch (reason) {
    case Reason::kTimeout:
      return "timeout";
    case Reason::kUnavailable:
      return "unavailable";
    case Reason::kCircuitOpen:
      return "circuit_open";
    case Reason::kRefused:
      return "refused";
    case Reason::kInvalidOutput:
      return "invalid_output";
    case Reason::kBudget:
      return "budget";
  }
  return "";
}

std::string beginning_of(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return std::string(text.substr(0, most));
}

Trouble unreadable(const std::exception& e) {
  return {Reason::kUnavailable, std::string("the endpoint's answer is not readable: ") + e.what()};
}

ActivityError Trouble::as_failure() const {
  const char* type = "LlmUnavailable";
  bool final = non_retryable;
  if (reason == Reason::kTimeout) type = "LlmTimeout";
  if (reason == Reason::kRefused) type = "LlmRefused", final = true;
  if (reason == Reason::kInvalidOutput) type = "LlmInvalidOutput", final = true;
  if (reason == Reason::kBudget) type = "LlmBudgetExceeded", final = true;
  return {type, what(), final, nullptr, next_retry_delay_ms};
}

}  // namespace skald::plugin::llm
