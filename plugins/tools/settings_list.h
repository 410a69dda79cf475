#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace skald::plugins {

// The settings that a schema of a configuration knows, flat, those of objects as "object.key": [{"key", "type",
// "default", "required", "secret", "description", "given": whether `config` has it}].
nlohmann::json list_settings(const nlohmann::json& schema, const nlohmann::json& config);

}  // namespace skald::plugins
