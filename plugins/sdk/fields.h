#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "plugins/sdk/activity_error.h"

// The fields of an activity's input. What is missing or of another type is refused for good ("InvalidInput") with a
// sentence that names the field. `where` is the place of a nested object in the input, e.g. "items[2].".
namespace skald::plugin {

[[noreturn]] inline void refuse_input(const std::string& message, nlohmann::json details = nullptr) {
  throw ActivityError("InvalidInput", message, true, std::move(details));
}

inline bool has_field(const nlohmann::json& input, const std::string& field) {
  return input.is_object() && input.contains(field) && !input[field].is_null();
}

inline const nlohmann::json& required_field(const nlohmann::json& input, const std::string& field,
                                            const std::string& where = "") {
  if (!input.is_object()) {
    const std::string holder = where.empty() ? "the input" : where.substr(0, where.find_last_of('.'));
    refuse_input(holder + " must be a JSON object with the field " + field);
  }
  if (!has_field(input, field)) refuse_input("the field " + where + field + " is missing");
  return input[field];
}

// A whole number of an input's object, from `least` to `most`. A fraction is refused, not cut off: it may be money.
inline int64_t whole_number(const nlohmann::json& input, const std::string& field, int64_t least, int64_t most,
                            const std::string& where = "") {
  const nlohmann::json& value = required_field(input, field, where);
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (std::isnan(number) || number != std::floor(number) || number < static_cast<double>(least) ||
      number > static_cast<double>(most)) {
    refuse_input(
        where + field + " must be a whole number from " + std::to_string(least) + " to " + std::to_string(most), value);
  }
  return value.is_number_integer() ? value.get<int64_t>() : static_cast<int64_t>(number);
}

// A text of an input's object that must not be empty.
inline std::string required_text(const nlohmann::json& input, const std::string& field, const std::string& where = "") {
  const nlohmann::json& value = required_field(input, field, where);
  if (!value.is_string()) refuse_input(where + field + " must be a text", value);
  if (value.get_ref<const std::string&>().empty()) refuse_input(where + field + " must not be empty");
  return value.get<std::string>();
}

// A text that may be empty, or not be there: then it is `otherwise`.
inline std::string optional_text(const nlohmann::json& input, const std::string& field,
                                 const std::string& otherwise = "") {
  if (!has_field(input, field)) return otherwise;
  if (!input[field].is_string()) refuse_input(field + " must be a text", input[field]);
  return input[field].get<std::string>();
}

// True or false; false when it is not there.
inline bool optional_flag(const nlohmann::json& input, const std::string& field) {
  if (!has_field(input, field)) return false;
  if (!input[field].is_boolean()) refuse_input(field + " must be true or false", input[field]);
  return input[field].get<bool>();
}

// A list of an input's object; it may be empty.
inline const nlohmann::json& required_list(const nlohmann::json& input, const std::string& field) {
  const nlohmann::json& value = required_field(input, field);
  if (!value.is_array()) refuse_input(field + " must be a list", value);
  return value;
}

// The field if it is there, else another one: {"order_id": "17"} speaks of the order's only payment, and
// {"order_id": "17", "payment_id": "17b"} of one of several.
inline std::string text_or(const nlohmann::json& input, const std::string& field, const std::string& otherwise) {
  return has_field(input, field) ? required_text(input, field) : required_text(input, otherwise);
}

}  // namespace skald::plugin
