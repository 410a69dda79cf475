#include "samples/llm/facts.h"

#include <regex>

namespace skald::samples::llm {

using json = nlohmann::json;

namespace {

// Where the object or list that begins here ends; npos: nowhere.
size_t end_of_document(const std::string& text, size_t begin) {
  size_t depth = 0;
  bool quoted = false;
  for (size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return std::string::npos;
}

const json* find_in(const json& value, const std::string& name) {
  if (value.is_object()) {
    if (const auto found = value.find(name); found != value.end() && !found->is_null()) return &*found;
  }
  if (value.is_structured()) {
    for (const json& inner : value) {
      if (const json* found = find_in(inner, name)) return found;
    }
  }
  return nullptr;
}

// "Total, in minor units" → "total_in_minor_units"
std::string key_of(const std::string& label) {
  std::string key;
  for (const char c : label) {
    if (std::isalnum(static_cast<unsigned char>(c)))
      key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!key.empty() && key.back() != '_')
      key += '_';
  }
  return key;
}

// Takes the fences out of a text.
std::string without_fences(const std::string& text, std::vector<json>& data) {
  constexpr std::string_view kOpen = "<data name=\"", kOpened = "\">", kClose = "</data>";
  std::string rest;
  size_t at = 0;
  while (true) {
    const size_t open = text.find(kOpen, at);
    const size_t value = open == std::string::npos ? open : text.find(kOpened, open);
    const size_t close = value == std::string::npos ? value : text.find(kClose, value);
    if (close == std::string::npos) return rest + text.substr(at);
    const std::string path = text.substr(open + kOpen.size(), value - open - kOpen.size());
    json parsed = json::parse(text.substr(value + kOpened.size(), close - value - kOpened.size()), nullptr, false);
    if (!parsed.is_discarded()) data.push_back({{path.substr(path.rfind('.') + 1), std::move(parsed)}});
    rest += text.substr(at, open - at);
    at = close + kClose.size();
  }
}

}  // namespace

std::vector<json> data_in(const std::string& text) {
  static const std::regex kLine(R"(^([^\n]*[^\s\d][^\n]*):[ \t]*(-?\d+(?:\.\d+)?)(?=\s|$))", std::regex::multiline);
  std::vector<json> data;
  const std::string rest = without_fences(text, data);
  for (std::sregex_iterator line(rest.begin(), rest.end(), kLine), end; line != end; ++line)
    data.push_back({{key_of((*line)[1]), json::parse((*line)[2].str())}});
  for (json& document : documents_in(rest)) data.push_back(std::move(document));
  return data;
}

std::vector<json> documents_in(const std::string& text) {
  std::vector<json> documents;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '{' && text[i] != '[') continue;
    const size_t end = end_of_document(text, i);
    if (end == std::string::npos) continue;
    json document = json::parse(text.begin() + static_cast<std::ptrdiff_t>(i),
                                text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    if (document.is_discarded()) continue;
    documents.push_back(std::move(document));
    i = end - 1;
  }
  return documents;
}

void add_texts(const json& value, std::vector<std::string>& texts) {
  if (value.is_string()) texts.push_back(value.get<std::string>());
  if (value.is_structured()) {
    for (const json& inner : value) add_texts(inner, texts);
  }
}

Facts::Facts(const json& messages) {
  for (const json& message : messages) {
    const std::string role = message.value("role", "");
    if (role != "user" && role != "tool") continue;
    if (!message.contains("content") || !message["content"].is_string()) continue;
    for (json& value : data_in(message["content"].get<std::string>())) documents_.push_back(std::move(value));
  }
}

const json& Facts::find(const std::string& name) const {
  static const json kNothing;
  for (auto document = documents_.rbegin(); document != documents_.rend(); ++document) {
    if (const json* found = find_in(*document, name)) return *found;
  }
  for (const json& document : documents_) {
    if (document.is_object() && document.size() == 1 && document.begin().key().starts_with(name + "_"))
      return document.begin().value();
  }
  return kNothing;
}

double Facts::number(const std::string& name, double otherwise) const {
  const json& found = find(name);
  return found.is_number() ? found.get<double>() : otherwise;
}

std::string Facts::text(const std::string& name) const {
  const json& found = find(name);
  return found.is_string() ? found.get<std::string>() : "";
}

bool Facts::has_instruction() const {
  static const std::regex kInstruction(
      R"(\b(ignore|disregard|forget)\b.{0,40}\b(instruction|rule|prompt|above|previous)|\byou must (approve|call|refund)\b)",
      std::regex::icase);
  std::vector<std::string> texts;
  for (const json& document : documents_) add_texts(document, texts);
  for (const std::string& text : texts) {
    if (std::regex_search(text, kInstruction)) return true;
  }
  return false;
}

bool Facts::flag(const std::string& name) const {
  const json& found = find(name);
  return found.is_boolean() && found.get<bool>();
}

}  // namespace skald::samples::llm
