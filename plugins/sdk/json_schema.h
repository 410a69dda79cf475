#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace skald::plugin {

struct SchemaError {
  std::string pointer;  // JSON pointer of the value that is wrong, or that lacks something; "" is the whole
  std::string message;  // a sentence without the pointer, e.g. "must be a whole number"
};

// A JSON Schema, draft 7. $ref may point into the schema itself, and nowhere else. Thread-safe.
class JsonSchema {
 public:
  explicit JsonSchema(const nlohmann::json& schema);  // throws std::invalid_argument with a sentence
  JsonSchema(JsonSchema&&) noexcept;
  JsonSchema& operator=(JsonSchema&&) noexcept;
  ~JsonSchema();

  // What is wrong with a value, the deepest causes; empty if nothing is.
  std::vector<SchemaError> check(const nlohmann::json& value) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace skald::plugin
