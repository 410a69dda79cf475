#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "plugins/sdk/activity_error.h"

namespace skald::plugin {

// A whole number of an input's object, from `least` to `most`. A fraction is refused, not cut off: it may be money.
inline int64_t whole_number(const nlohmann::json& input, const std::string& field, int64_t least, int64_t most) {
  const nlohmann::json& value = input.at(field);
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (std::isnan(number) || number != std::floor(number) || number < static_cast<double>(least) ||
      number > static_cast<double>(most)) {
    throw ActivityError("InvalidInput",
                        field + " must be a whole number from " + std::to_string(least) + " to " + std::to_string(most),
                        true, value);
  }
  return value.is_number_integer() ? value.get<int64_t>() : static_cast<int64_t>(number);
}

// A text of an input's object that must not be empty.
inline std::string required_text(const nlohmann::json& input, const std::string& field) {
  auto value = input.at(field).get<std::string>();
  if (value.empty()) throw ActivityError("InvalidInput", field + " must not be empty", true);
  return value;
}

// The field if it is there, else another one: {"order_id": "17"} speaks of the order's only payment, and
// {"order_id": "17", "payment_id": "17b"} of one of several.
inline std::string text_or(const nlohmann::json& input, const std::string& field, const std::string& otherwise) {
  return input.contains(field) ? required_text(input, field) : required_text(input, otherwise);
}

}  // namespace skald::plugin
