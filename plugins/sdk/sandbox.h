#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace skald::plugin {

// What a sandbox is told to do wrong with one attempt.
struct Fault {
  enum class Kind { kNone, kFail, kDelay, kTimeout, kLoseAnswer };
  Kind kind = Kind::kNone;
  bool non_retryable = false;  // kFail: without a number of times it is final
  std::string type, message;   // of the failure of kFail
  std::chrono::milliseconds delay{0};
};

struct FaultQuery {
  std::string plugin, activity, step;  // a fault may name either of "payment.charge", "charge" and its step, "pay"
  int attempt = 1;
  std::string idempotency_key;  // which activities a `share` hits
};

// The fault for an attempt, from a `sandbox` object: {"charge": "lose_answer"} or
// {"pay": {"fault": "fail", "times": 2, "type": "ProviderDown"}}; the first of `sources` that names the activity
// decides. Throws ActivityError "InvalidSandbox" when it does not make sense. docs/plugins.md lists the fields.
Fault fault_for(const FaultQuery& query, const std::vector<const nlohmann::json*>& sources);

// Throws as fault_for would for any of its entries.
void check_sandbox(const nlohmann::json& sandbox);

}  // namespace skald::plugin
