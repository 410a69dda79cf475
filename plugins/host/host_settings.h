#pragma once

#include <nlohmann/json_fwd.hpp>

namespace skald::plugins {

// The keys of every plugin's configuration that are the host's own, as "properties" of a JSON Schema. Plugins do not
// get them.
const nlohmann::json& host_settings();

}  // namespace skald::plugins
