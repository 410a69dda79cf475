#pragma once

#include <chrono>
#include <string>

#include <nlohmann/json.hpp>

namespace skald::plugin {

// Section "http" of a plugin's configuration.
struct HttpOptions {
  std::chrono::milliseconds timeout{30000}, connect_timeout{5000};
  int tries = 3;
  std::chrono::milliseconds first_retry{100};
  int max_concurrent_per_host = 256;
  int max_waiting_per_host = 1000;
  int breaker_failures = 10;  // in a row; 0: no breaker
  std::chrono::milliseconds breaker_open{5000};
  std::string ca_file;  // PEM; empty: the system's
  std::string proxy;    // empty: none, whatever the environment says
};

// Its JSON Schema, and what it says (null: nothing). A relative ca_file is under `folder`.
const nlohmann::json& http_options_schema();
HttpOptions http_options(const nlohmann::json& section, const std::string& folder);

}  // namespace skald::plugin
