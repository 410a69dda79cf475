#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace skald::samples::llm {

// The JSON objects and lists that stand in a text, in their order.
std::vector<nlohmann::json> documents_in(const std::string& text);

// The data that a message carries: what stands in a fence, <data name="inputs.order.note">…</data>, as {"note": …}; a
// line "Total, in minor units: 1250" as {"total_in_minor_units": 1250}; and JSON documents as they are.
std::vector<nlohmann::json> data_in(const std::string& text);

// Every text within a JSON value.
void add_texts(const nlohmann::json& value, std::vector<std::string>& texts);

// What the messages of a conversation tell, found by name: however a prompt wraps its data, the last of a name counts.
class Facts {
 public:
  explicit Facts(const nlohmann::json& messages);

  // The value of this name, anywhere, or of a line that begins with it; null: none.
  const nlohmann::json& find(const std::string& name) const;
  double number(const std::string& name, double otherwise) const;
  std::string text(const std::string& name) const;
  bool flag(const std::string& name) const;
  // Whether a text among the data speaks to its reader as if it had orders to give.
  bool has_instruction() const;

 private:
  std::vector<nlohmann::json> documents_;
};

}  // namespace skald::samples::llm
