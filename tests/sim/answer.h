#pragma once

#include <string>
#include <variant>

#include <nlohmann/json.hpp>

namespace skald::sim {

// What a partner says: a result, or no.
struct Refusal {
  std::string type;
  std::string message;
  bool final = true;  // asking again would not help
};
using Answer = std::variant<nlohmann::json, Refusal>;

// A defect to be put in on purpose, to see that the simulator finds it.
enum class ShopDefect {
  kNone,
  kForgetsIdempotency,
  kForgetsTombstones,
  kErpForgetsIdempotency,
  kChargesBeforeRisk,
  kForgetsDecisions,
  kForgetsWhoDecided
};

}  // namespace skald::sim
