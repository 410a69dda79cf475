#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "plugins/llm/chat.h"
#include "plugins/llm/redaction.h"

namespace skald::plugin::llm {

// In micro-units of some currency, for a million tokens.
struct Price {
  int64_t prompt = 0, completion = 0;
};

// What a namespace may use in a day (UTC).
struct Budget {
  std::optional<int64_t> tokens, cost_micros;
  bool limited() const { return tokens.has_value() || cost_micros.has_value(); }
};

// The plugin's configuration; docs/llm.md has its keys.
struct Settings {
  std::string url, api_key, model, embedding_model;
  std::string prompts;  // folder
  std::map<std::string, Price> prices;
  std::map<std::string, Budget> budgets;
  RedactionRules redaction;
  bool stream = true;
  std::chrono::milliseconds timeout{30000}, idle_timeout{15000};
  int64_t tries = 3;
  int64_t max_tokens = 1024;
  int64_t embedding_batch = 64;
  int64_t chunk_bytes = 1200, chunk_overlap = 200;

  // Of this model, else of "*"; rounded up.
  int64_t cost_micros(const std::string& of_model, const TokenUse& tokens) const;
  // Of this namespace, else "*"'s, which every other namespace has for itself.
  Budget budget(const std::string& namespace_name) const;
};

nlohmann::json settings_schema();  // the properties
// `folder` is what relative paths are relative to. The configuration fits the schema.
Settings read_settings(const nlohmann::json& config, const std::string& folder);

}  // namespace skald::plugin::llm
