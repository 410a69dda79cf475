#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "plugins/sdk/json_schema.h"

namespace skald::plugin {

// What a validator found wrong with a value: where, and in its own words.
struct SchemaFinding {
  std::vector<std::string> path;  // keys and indexes from the root
  std::string description;
};

// The same for a person: without what only follows from something deeper, and in words of the schema.
std::vector<SchemaError> schema_errors(const nlohmann::json& schema, const nlohmann::json& value,
                                       const std::vector<SchemaFinding>& findings);

}  // namespace skald::plugin
