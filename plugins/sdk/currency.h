#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace skald::plugin {

// Amounts of money are whole numbers in minor units of a currency: 1250 EUR are 12.50, 1250 JPY are 1250, 1250 KWD are
// 1.250.
//
// How many decimals a currency has, by its code in ISO 4217; nothing: there is no such currency in use.
std::optional<int> currency_decimals(std::string_view code);

// The code in an input's field. Throws ActivityError "InvalidInput", for good, when it is missing or unknown.
std::string required_currency(const nlohmann::json& input, const std::string& field = "currency");

}  // namespace skald::plugin
