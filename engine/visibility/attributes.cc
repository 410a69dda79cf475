#include "engine/visibility/attributes.h"

#include <absl/time/time.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "temporal/api/enums/v1/common.pb.h"

namespace skald::visibility {
namespace {

namespace enums = temporal::api::enums::v1;

std::optional<store::AttributeValue> decode(const nlohmann::json& json, int type) {
  store::AttributeValue value;
  value.type = type;
  switch (type) {
    case enums::INDEXED_VALUE_TYPE_BOOL:
      if (!json.is_boolean()) return std::nullopt;
      value.number = json.get<bool>() ? 1 : 0;
      return value;
    case enums::INDEXED_VALUE_TYPE_INT:
      if (!json.is_number_integer()) return std::nullopt;
      value.number = json.get<int64_t>();
      return value;
    case enums::INDEXED_VALUE_TYPE_DOUBLE:
      if (!json.is_number()) return std::nullopt;
      value.real = json.get<double>();
      return value;
    case enums::INDEXED_VALUE_TYPE_DATETIME: {
      absl::Time time;
      if (!json.is_string() || !absl::ParseTime(absl::RFC3339_full, json.get<std::string>(), &time, nullptr)) return std::nullopt;
      value.number = absl::ToUnixNanos(time);
      return value;
    }
    case enums::INDEXED_VALUE_TYPE_KEYWORD_LIST:
      if (json.is_array()) {
        for (const auto& element : json) {
          if (!element.is_string()) return std::nullopt;
          value.texts.push_back(element.get<std::string>());
        }
        return value;
      }
      [[fallthrough]];
    default:
      if (!json.is_string()) return std::nullopt;
      value.texts.push_back(json.get<std::string>());
      return value;
  }
}

}  // namespace

bool is_of_type(const temporal::api::common::v1::Payload& value, int type) {
  if (value.data().empty()) return true;
  const auto json = nlohmann::json::parse(value.data(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return false;
  if (json.is_null()) return true;
  if (!json.is_array()) return decode(json, type).has_value();
  return std::all_of(json.begin(), json.end(), [type](const auto& element) { return decode(element, type).has_value(); });
}

std::map<std::string, store::AttributeValue> decode_attributes(const temporal::api::common::v1::SearchAttributes& attributes,
                                                               const std::map<std::string, int>& types) {
  std::map<std::string, store::AttributeValue> result;
  for (const auto& [name, payload] : attributes.indexed_fields()) {
    const auto type = types.find(name);
    if (type == types.end()) continue;
    const auto json = nlohmann::json::parse(payload.data(), nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded()) continue;
    auto value = decode(json.is_array() && json.size() == 1 && type->second != enums::INDEXED_VALUE_TYPE_KEYWORD_LIST ? json[0] : json, type->second);
    if (value) result[name] = *std::move(value);
  }
  return result;
}

}  // namespace skald::visibility
