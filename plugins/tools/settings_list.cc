#include "plugins/tools/settings_list.h"

#include <algorithm>

#include "plugins/host/host_settings.h"

namespace skald::plugins {
namespace {

using nlohmann::json;

constexpr int kDeepest = 8;

std::string type_of(const json& schema) {
  if (schema.contains("enum") && schema["enum"].is_array()) {
    std::string all;
    for (const json& value : schema["enum"])
      all += (all.empty() ? "" : " | ") + (value.is_string() ? value.get<std::string>() : value.dump());
    return all;
  }
  const json type = schema.value("type", json());
  if (type.is_string()) return type;
  std::string all;
  if (type.is_array()) {
    for (const json& each : type) all += (all.empty() ? "" : " | ") + (each.is_string() ? each.get<std::string>() : "");
  }
  return all.empty() ? "any" : all;
}

void list(const json& schema, const json& config, const std::string& prefix, int depth, json& out) {
  if (!schema.is_object() || !schema.contains("properties") || depth > kDeepest) return;
  const json required = schema.value("required", json::array());
  for (const auto& [key, property] : schema["properties"].items()) {
    if (!property.is_object() || key.rfind('$', 0) == 0) continue;
    const json value = config.is_object() ? config.value(key, json()) : json();
    if (property.contains("properties")) {
      list(property, value, prefix + key + ".", depth + 1, out);
      continue;
    }
    json entry = {{"key", prefix + key},
                  {"type", type_of(property)},
                  {"required", std::find(required.begin(), required.end(), key) != required.end()},
                  {"secret", property.value("secret", json()) == true},
                  {"given", config.is_object() && config.contains(key)}};
    for (const char* word : {"default", "description"}) {
      if (property.contains(word)) entry[word] = property[word];
    }
    out.push_back(std::move(entry));
  }
}

}  // namespace

json list_settings(const json& schema, const json& config) {
  json out = json::array(), own = schema.is_object() ? schema : json::object();
  if (own.contains("properties") && own["properties"].is_object()) {
    for (const auto& [key, ignored] : host_settings().items()) own["properties"].erase(key);
  }
  list(own, config, "", 0, out);
  list({{"properties", host_settings()}}, config, "", 0, out);
  return out;
}

}  // namespace skald::plugins
