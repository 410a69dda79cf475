#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace skald::plugin::llm {

// A mistake in a prompt's file. what() begins with file:line.
struct PromptInvalid : std::runtime_error {
  PromptInvalid(const std::string& file, size_t line, const std::string& problem)
      : std::runtime_error(file + ":" + std::to_string(line) + ": " + problem) {}
};

// The value at a path such as "inputs.order.items.0.sku", or null.
const nlohmann::json* value_at(const nlohmann::json& inputs, std::string_view path);
// Whether a text is a path into the inputs.
bool is_input_path(std::string_view path);

// Something from outside as a model gets it: JSON between <data name="…"> and </data>. No text can end its fence,
// because no '<' can be in it.
std::string fenced(std::string_view name, const nlohmann::json& value);

// A text with placeholders {{inputs.order.total}} and, if there is knowledge, {{knowledge}}. `?` at the end,
// {{inputs.order.note?}}, says that it may be missing, and is null then. Immutable.
class PromptTemplate {
 public:
  // Throws PromptInvalid with the file and the line.
  PromptTemplate(const std::string& file, std::string_view text);
  PromptTemplate() = default;

  // Numbers, booleans and null as they are, everything else fenced. Throws ActivityError "InvalidInput" that names all
  // placeholders which the inputs do not have.
  std::string render(const nlohmann::json& inputs, const std::string& knowledge) const;
  // The same without fences: for what no model reads, a search's query.
  std::string render_plain(const nlohmann::json& inputs) const;
  bool names_knowledge() const { return names_knowledge_; }
  bool has_placeholders() const;
  bool empty() const { return pieces_.empty(); }

 private:
  struct Piece {
    std::string text;  // of a placeholder: its path
    bool is_placeholder = false, optional = false;
  };
  void check_all_there(const nlohmann::json& inputs) const;

  std::string file_;
  std::vector<Piece> pieces_;
  bool names_knowledge_ = false;
};

// The line, from 1, in which the byte at `offset` stands.
size_t line_of(std::string_view text, size_t offset);

}  // namespace skald::plugin::llm
