#include "plugins/llm/settings.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <stdexcept>

namespace skald::plugin::llm {
namespace {

using nlohmann::json;

constexpr int64_t kMillion = 1000000;

json text(const char* description) { return {{"type", "string"}, {"minLength", 1}, {"description", description}}; }
json flag(bool otherwise, const char* description) {
  return {{"type", "boolean"}, {"default", otherwise}, {"description", description}};
}
json whole(int64_t least, int64_t most, const char* description) {
  return {{"type", "integer"}, {"minimum", least}, {"maximum", most}, {"description", description}};
}
json whole(int64_t least, int64_t most, int64_t otherwise, const char* description) {
  json schema = whole(least, most, description);
  schema["default"] = otherwise;
  return schema;
}
json object(json properties) {
  return {{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
}
json by_name(json properties, const char* description) {
  return {{"type", "object"},
          {"additionalProperties", object(std::move(properties))},
          {"default", json::object()},
          {"description", description}};
}

json redact_schema() {
  const RedactionRules rules = redaction_rules(nullptr);
  const json fields = {{"type", "array"},
                       {"items", text("a field's name, or the end of its path")},
                       {"default", rules.fields},
                       {"description", "fields whose values do not leave, by name or by the end of their path"}};
  return object({{"emails", flag(rules.kinds.emails, "e-mail addresses")},
                 {"phones", flag(rules.kinds.phones, "telephone numbers")},
                 {"cards", flag(rules.kinds.cards, "card numbers")},
                 {"ibans", flag(rules.kinds.ibans, "IBANs")},
                 {"fields", fields}});
}

void check_url(const std::string& url) {
  const size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : std::string::npos;
  if (scheme == std::string::npos || url.size() == scheme || url.find_first_of(" \t\r\n") != std::string::npos)
    throw std::runtime_error(
        "\"url\" must begin with http:// or https:// and name a host, as in https://models.example.com/v1");
}

}  // namespace

json settings_schema() {
  const Settings otherwise{};
  constexpr int64_t kMost = 1000000000000000;
  json api_key = text("sent as a bearer token");
  api_key["secret"] = true;
  return {
      {"url", text("the endpoint's base, up to and with /v1")},
      {"api_key", api_key},
      {"model", text("the model that is asked when a prompt names none")},
      {"embedding_model", text("the model of embeddings; needed for knowledge")},
      {"prompts", text("the folder of the prompts, relative to this file")},
      {"prices", by_name({{"prompt", whole(0, kMost, "a million tokens of questions")},
                          {"completion", whole(0, kMost, "a million tokens of answers")}},
                         "by model, or * for all others: micro-units for a million tokens")},
      {"budgets",
       by_name({{"tokens_per_day", whole(0, kMost, "tokens")}, {"cost_micros_per_day", whole(0, kMost, "micro-units")}},
               "by namespace, or * for each of the others")},
      {"redact", redact_schema()},
      {"stream", flag(otherwise.stream, "let answers come token by token, with heartbeats")},
      {"timeout_ms", whole(1, 86400000, otherwise.timeout.count(), "for a decision, all tries together")},
      {"idle_timeout_ms", whole(1, 86400000, otherwise.idle_timeout.count(),
                                "an answer that has begun and stands still for so long is broken")},
      {"tries", whole(1, 10, otherwise.tries, "how often an endpoint is asked that is busy or away")},
      {"max_tokens", whole(1, 1000000, otherwise.max_tokens, "of an answer")},
      {"embedding_batch", whole(1, 2048, otherwise.embedding_batch, "texts in one request")},
      {"chunk_bytes", whole(100, 100000, otherwise.chunk_bytes, "of a document's chunk")},
      {"chunk_overlap", whole(0, 50000, otherwise.chunk_overlap,
                              "bytes that a chunk shares with the one before; less than half a chunk")},
  };
}

Settings read_settings(const json& config, const std::string& folder) {
  Settings s;
  s.url = config.value("url", "");
  if (!s.url.empty()) check_url(s.url);
  while (s.url.ends_with('/')) s.url.pop_back();
  s.api_key = config.value("api_key", "");
  s.model = config.value("model", "");
  s.embedding_model = config.value("embedding_model", "");
  s.prompts = config.value("prompts", "");
  if (!s.prompts.empty() && !folder.empty() && std::filesystem::path(s.prompts).is_relative())
    s.prompts = (std::filesystem::path(folder) / s.prompts).lexically_normal().string();
  if (!s.prompts.empty() && !std::filesystem::is_directory(s.prompts))
    throw std::runtime_error("\"prompts\" must name a folder: there is none at " + s.prompts);
  const json prices = config.value("prices", json::object()), budgets = config.value("budgets", json::object());
  for (const auto& [model, price] : prices.items())
    s.prices[model] = {price.value("prompt", int64_t{0}), price.value("completion", int64_t{0})};
  for (const auto& [name, budget] : budgets.items()) {
    Budget& own = s.budgets[name];
    if (budget.contains("tokens_per_day")) own.tokens = budget["tokens_per_day"].get<int64_t>();
    if (budget.contains("cost_micros_per_day")) own.cost_micros = budget["cost_micros_per_day"].get<int64_t>();
  }
  s.redaction = redaction_rules(config.value("redact", json()));
  s.stream = config.value("stream", s.stream);
  s.timeout = std::chrono::milliseconds(config.value("timeout_ms", int64_t{s.timeout.count()}));
  s.idle_timeout = std::chrono::milliseconds(config.value("idle_timeout_ms", int64_t{s.idle_timeout.count()}));
  s.tries = config.value("tries", s.tries);
  s.max_tokens = config.value("max_tokens", s.max_tokens);
  s.embedding_batch = config.value("embedding_batch", s.embedding_batch);
  s.chunk_bytes = config.value("chunk_bytes", s.chunk_bytes);
  s.chunk_overlap = config.value("chunk_overlap", std::min(s.chunk_overlap, s.chunk_bytes / 4));
  if (s.chunk_overlap * 2 >= s.chunk_bytes)
    throw std::runtime_error("chunk_overlap must be less than half of chunk_bytes");
  return s;
}

int64_t Settings::cost_micros(const std::string& of_model, const TokenUse& tokens) const {
  auto price = prices.find(of_model);
  if (price == prices.end()) price = prices.find("*");
  if (price == prices.end()) return 0;
  const __int128 cost = static_cast<__int128>(price->second.prompt) * tokens.prompt +
                        static_cast<__int128>(price->second.completion) * tokens.completion;
  const __int128 micros = (cost + kMillion - 1) / kMillion;
  return static_cast<int64_t>(std::min<__int128>(micros, std::numeric_limits<int64_t>::max()));
}

Budget Settings::budget(const std::string& namespace_name) const {
  auto found = budgets.find(namespace_name);
  if (found == budgets.end()) found = budgets.find("*");
  return found == budgets.end() ? Budget() : found->second;
}

}  // namespace skald::plugin::llm
