#include "plugins/llm/prompts.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "plugins/llm/sha256.h"
#include "plugins/sdk/activity_error.h"

namespace skald::plugin::llm {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::chrono::seconds kBetweenLooks(1);
constexpr const char* kFiles[] = {"prompt.json", "system.md", "user.md"};
constexpr const char* kKeys[] = {"description", "model", "temperature",     "max_tokens", "timeout_ms",   "stream",
                                 "output",      "tools", "max_tool_rounds", "knowledge",  "cache_seconds"};

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw PromptInvalid(path, 1, "the file cannot be read: a prompt has prompt.json, system.md and user.md");
  return {std::istreambuf_iterator<char>(in), {}};
}

// prompt.json, and in which line its keys stand.
struct Sheet {
  std::string file, text;
  json value;

  Sheet(std::string file_, std::string text_) : file(std::move(file_)), text(std::move(text_)) {
    try {
      value = json::parse(text, nullptr, true, true);
    } catch (const json::parse_error& e) {
      const std::string said = e.what();
      throw PromptInvalid(
          file, line_of(text, e.byte > 0 ? e.byte - 1 : 0),
          "it is not JSON: " + said.substr(said.find(": ") == std::string::npos ? 0 : said.find(": ") + 2));
    }
    if (!value.is_object()) throw PromptInvalid(file, 1, "it must hold a JSON object");
  }

  [[noreturn]] void refuse(const std::string& key, const std::string& problem) const {
    const size_t at = text.find("\"" + key + "\"");
    throw PromptInvalid(file, at == std::string::npos ? 1 : line_of(text, at), problem);
  }

  int64_t whole(const std::string& key, int64_t least, int64_t most, int64_t otherwise) const {
    return whole(value, key, least, most, otherwise);
  }
  int64_t whole(const json& holder, const std::string& key, int64_t least, int64_t most, int64_t otherwise) const {
    if (!holder.contains(key)) return otherwise;
    const json& number = holder[key];
    if (!number.is_number_integer() || number.get<int64_t>() < least || number.get<int64_t>() > most) {
      refuse(key, key + " must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return number;
  }
  double fraction(const json& holder, const std::string& key, double least, double most, double otherwise) const {
    if (!holder.contains(key)) return otherwise;
    const json& number = holder[key];
    if (!number.is_number() || number.get<double>() < least || number.get<double>() > most) {
      refuse(key, key + " must be a number from " + json(least).dump() + " to " + json(most).dump());
    }
    return number;
  }
};

void read_knowledge(const Sheet& sheet, Prompt& prompt) {
  if (!sheet.value.contains("knowledge")) return;
  const json& knowledge = sheet.value["knowledge"];
  if (!knowledge.is_object() || !knowledge.contains("query") || !knowledge["query"].is_string())
    sheet.refuse("knowledge", "knowledge needs \"query\", a template of what is searched for");
  for (const auto& [key, value] : knowledge.items()) {
    if (key != "query" && key != "top" && key != "least")
      sheet.refuse(key, "knowledge has no key \"" + key + "\": use query, top, least");
  }
  try {
    prompt.knowledge_query = PromptTemplate(sheet.file, knowledge["query"].get<std::string>());
  } catch (const PromptInvalid&) {
    sheet.refuse("query", "the query has a placeholder that is none: use {{inputs.…}}");
  }
  if (prompt.knowledge_query.empty() || prompt.knowledge_query.names_knowledge())
    sheet.refuse("query", "the query must be a text, and cannot have {{knowledge}} in it");
  prompt.knowledge_top = sheet.whole(knowledge, "top", 1, 50, 3);
  prompt.knowledge_least = sheet.fraction(knowledge, "least", -1, 1, 0);
}

void read_sheet(const Sheet& sheet, Prompt& prompt) {
  const json& value = sheet.value;
  for (const auto& [key, unused] : value.items()) {
    if (std::find(std::begin(kKeys), std::end(kKeys), key) == std::end(kKeys))
      sheet.refuse(key, "there is no key \"" + key + "\"; docs/llm.md has them");
  }
  if (value.contains("model") && !value["model"].is_string()) sheet.refuse("model", "model must be a text");
  if (value.contains("stream") && !value["stream"].is_boolean()) sheet.refuse("stream", "stream must be true or false");
  prompt.model = value.value("model", "");
  if (value.contains("stream")) prompt.stream = value["stream"].get<bool>();
  if (value.contains("temperature")) prompt.temperature = sheet.fraction(value, "temperature", 0, 2, 0);
  prompt.max_tokens = sheet.whole("max_tokens", 1, 1000000, 0);
  prompt.timeout_ms = sheet.whole("timeout_ms", 1, 86400000, 0);
  prompt.max_tool_rounds = sheet.whole("max_tool_rounds", 0, 32, 4);
  prompt.cache_seconds = sheet.whole("cache_seconds", 0, 31536000, 0);
  if (!value.contains("output")) sheet.refuse("output", "\"output\", the schema of the decision, is missing");
  try {
    prompt.form = std::make_shared<AnswerForm>(decision_schema(value["output"]));
  } catch (const std::invalid_argument& e) {
    sheet.refuse("output", std::string("output: ") + e.what());
  }
  try {
    if (value.contains("tools")) prompt.tools = read_tools(value["tools"]);
  } catch (const std::invalid_argument& e) {
    sheet.refuse("tools", e.what());
  } catch (const json::exception& e) {
    sheet.refuse("tools", std::string("tools: ") + e.what());
  }
  read_knowledge(sheet, prompt);
}

// When and how long the files of a folder are; another text when one of them has changed.
std::string stamps_of(const std::string& folder) {
  std::string stamps;
  for (const char* file : kFiles) {
    std::error_code error;
    const std::string path = folder + "/" + file;
    const auto time = fs::last_write_time(path, error);
    const auto size = error ? 0 : fs::file_size(path, error);
    stamps += (error ? "-" : std::to_string(time.time_since_epoch().count()) + "," + std::to_string(size)) + ";";
  }
  return stamps;
}

std::optional<int64_t> version_of(const std::string& folder) {
  int64_t version = 0;
  const auto [end, error] = std::from_chars(folder.data(), folder.data() + folder.size(), version);
  if (error != std::errc() || end != folder.data() + folder.size() || version < 1) return std::nullopt;
  return version;
}

bool is_prompt_name(const std::string& name) {
  return !name.empty() && name[0] != '.' && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

[[noreturn]] void not_found(const std::string& folder, const std::string& what) {
  throw ActivityError("PromptNotFound", "there is no prompt " + what + " in " + folder, true);
}

}  // namespace

std::shared_ptr<const Prompt> read_prompt(const std::string& folder, const std::string& name, int64_t version) {
  auto prompt = std::make_shared<Prompt>();
  prompt->name = name;
  prompt->version = version;
  std::string all;
  std::string texts[3];
  for (size_t i = 0; i < 3; ++i) {
    texts[i] = read_file(folder + "/" + kFiles[i]);
    all += std::to_string(texts[i].size()) + ":" + texts[i];
  }
  prompt->hash = sha256(all);
  read_sheet(Sheet(folder + "/prompt.json", texts[0]), *prompt);
  const size_t placeholder = texts[1].find("{{");
  if (placeholder != std::string::npos) {
    throw PromptInvalid(folder + "/system.md", line_of(texts[1], placeholder),
                        "nothing from outside gets into the system's text: put placeholders into user.md");
  }
  prompt->system = texts[1];
  prompt->user = PromptTemplate(folder + "/user.md", texts[2]);
  return prompt;
}

int64_t PromptLibrary::latest(const std::string& name) {
  Latest& known = latest_[name];
  if (known.version > 0 && now_() - known.looked < kBetweenLooks) return known.version;
  std::error_code error;
  int64_t highest = 0;
  for (const auto& entry : fs::directory_iterator(folder_ + "/" + name, error))
    highest = std::max(highest, version_of(entry.path().filename().string()).value_or(0));
  if (highest == 0) {
    latest_.erase(name);
    not_found(folder_, name + " (a folder with a version's folder in it, such as " + name + "/1)");
  }
  known = {highest, now_()};
  return highest;
}

std::shared_ptr<const Prompt> PromptLibrary::get(const std::string& name, std::optional<int64_t> version) {
  if (!is_prompt_name(name)) not_found(folder_, "of the name \"" + name + "\"");
  const std::lock_guard lock(mutex_);
  const int64_t wanted = version ? *version : latest(name);
  const std::string folder = folder_ + "/" + name + "/" + std::to_string(wanted);
  const auto found = known_.find({name, wanted});
  if (found != known_.end() && now_() - found->second.looked < kBetweenLooks) return found->second.prompt;
  const std::string stamps = stamps_of(folder);
  if (found != known_.end() && found->second.stamps == stamps) {
    found->second.looked = now_();
    return found->second.prompt;
  }
  std::error_code error;
  if (!fs::is_directory(folder, error)) not_found(folder_, name + " of version " + std::to_string(wanted));
  try {
    auto prompt = read_prompt(folder, name, wanted);
    known_[{name, wanted}] = {prompt, stamps, now_()};
    return prompt;
  } catch (const PromptInvalid& e) {
    throw ActivityError("PromptInvalid", e.what());
  }
}

}  // namespace skald::plugin::llm
