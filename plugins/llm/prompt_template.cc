#include "plugins/llm/prompt_template.h"

#include <algorithm>
#include <charconv>

#include "plugins/sdk/fields.h"

namespace skald::plugin::llm {
namespace {

using nlohmann::json;

constexpr std::string_view kInputs = "inputs";
constexpr std::string_view kKnowledge = "knowledge";

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_path_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

const json* child(const json& holder, std::string_view name) {
  if (holder.is_object()) {
    const auto found = holder.find(std::string(name));
    return found == holder.end() ? nullptr : &*found;
  }
  if (!holder.is_array()) return nullptr;
  size_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (error != std::errc() || end != name.data() + name.size() || index >= holder.size()) return nullptr;
  return &holder[index];
}

}  // namespace

size_t line_of(std::string_view text, size_t offset) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size()));
  return 1 + static_cast<size_t>(std::count(text.begin(), end, '\n'));
}

bool is_input_path(std::string_view path) {
  if (!path.starts_with(kInputs)) return false;
  const std::string_view rest = path.substr(kInputs.size());
  return rest.empty() || (rest[0] == '.' && rest.back() != '.' && rest.find("..") == std::string_view::npos &&
                          std::all_of(rest.begin(), rest.end(), is_path_character));
}

const json* value_at(const json& inputs, std::string_view path) {
  const json* at = &inputs;
  std::string_view rest = path.substr(kInputs.size());
  while (at != nullptr && !rest.empty()) {
    rest.remove_prefix(1);
    const size_t end = std::min(rest.find('.'), rest.size());
    at = child(*at, rest.substr(0, end));
    rest.remove_prefix(end);
  }
  return at;
}

std::string fenced(std::string_view name, const json& value) {
  std::string out = "<data name=\"" + std::string(name) + "\">";
  for (const char c : value.dump(-1, ' ', false, json::error_handler_t::replace)) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out + "</data>";
}

PromptTemplate::PromptTemplate(const std::string& file, std::string_view text) : file_(file) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t open = text.find("{{", at);
    if (open != at) pieces_.push_back({std::string(text.substr(at, open - at)), false, false});
    if (open == std::string_view::npos) break;
    const size_t close = text.find("}}", open);
    const size_t line = line_of(text, open);
    if (close == std::string_view::npos || text.substr(open, close - open).find('\n') != std::string_view::npos)
      throw PromptInvalid(file, line, "a placeholder begins with {{ and does not end with }} in its line");
    std::string_view path = trimmed(text.substr(open + 2, close - open - 2));
    const bool optional = path.ends_with('?');
    if (optional) path.remove_suffix(1);
    if (path == kKnowledge) {
      names_knowledge_ = true;
    } else if (!is_input_path(path)) {
      throw PromptInvalid(file, line,
                          "there is no placeholder {{" + std::string(path) +
                              "}}: use {{inputs.…}}, a path into the decision's inputs, or {{knowledge}}");
    }
    pieces_.push_back({std::string(path), true, optional});
    at = close + 2;
  }
}

bool PromptTemplate::has_placeholders() const {
  return std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) { return piece.is_placeholder; });
}

void PromptTemplate::check_all_there(const json& inputs) const {
  json missing = json::array();
  std::string names;
  for (const Piece& piece : pieces_) {
    if (!piece.is_placeholder || piece.optional || piece.text == kKnowledge) continue;
    if (value_at(inputs, piece.text) != nullptr) continue;
    if (std::find(missing.begin(), missing.end(), piece.text) != missing.end()) continue;
    missing.push_back(piece.text);
    names += (names.empty() ? "" : ", ") + piece.text;
  }
  if (!missing.empty()) refuse_input("the prompt " + file_ + " needs " + names + ", which the input has not", missing);
}

std::string PromptTemplate::render(const json& inputs, const std::string& knowledge) const {
  check_all_there(inputs);
  std::string out;
  for (const Piece& piece : pieces_) {
    if (!piece.is_placeholder) {
      out += piece.text;
    } else if (piece.text == kKnowledge) {
      out += knowledge;
    } else {
      const json* value = value_at(inputs, piece.text);
      const bool plain = value == nullptr || value->is_null() || value->is_number() || value->is_boolean();
      out += value == nullptr ? "null" : plain ? value->dump() : fenced(piece.text, *value);
    }
  }
  return out;
}

std::string PromptTemplate::render_plain(const json& inputs) const {
  check_all_there(inputs);
  std::string out;
  for (const Piece& piece : pieces_) {
    if (!piece.is_placeholder) {
      out += piece.text;
    } else if (const json* value = value_at(inputs, piece.text); value != nullptr && !value->is_null()) {
      out +=
          value->is_string() ? value->get<std::string>() : value->dump(-1, ' ', false, json::error_handler_t::replace);
    }
  }
  return out;
}

}  // namespace skald::plugin::llm
