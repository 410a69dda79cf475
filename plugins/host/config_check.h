#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "plugins/host/config_lines.h"

namespace skald::plugins {

// One look through a configuration, or a part of it, beside its schema.
struct ConfigCheck {
  std::vector<ConfigProblem> problems;  // without their lines
  std::vector<ConfigProblem> warnings;
  std::vector<std::string> secrets;  // their values
};

// Puts secrets in the place of their references, takes keys out that the schema does not know, and then checks `value`
// against the schema. `folder` is what file:PATH is relative to, `others` further names that a misspelt key may mean.
// Throws std::invalid_argument if the schema is none.
ConfigCheck check_config(const nlohmann::json& schema, nlohmann::json& value, const std::string& folder,
                         const std::vector<std::string>& others);

}  // namespace skald::plugins
