#include "lua/definitions.h"

#include <cctype>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <lua.hpp>
#include <openssl/evp.h>

#include "lua/modules.h"

namespace skald::lua {
namespace {

constexpr size_t kLargestSource = 1 << 20;
constexpr size_t kVersionWithin = 1000;  // bytes from the file's beginning

using State = std::unique_ptr<lua_State, decltype(&lua_close)>;

int append_code(lua_State*, const void* bytes, size_t size, void* code) {
  static_cast<std::string*>(code)->append(static_cast<const char*>(bytes), size);
  return 0;
}

// Text only: compiled code from outside could break out of the virtual machine.
bool compile(const std::string& chunk_name, const std::string& source, std::string& code, std::string& error) {
  const State state(luaL_newstate(), &lua_close);
  lua_State* L = state.get();
  if (source.size() > kLargestSource) {
    error = absl::StrCat(chunk_name.substr(1), ":1: larger than ", kLargestSource >> 20, " MiB");
    return false;
  }
  if (source.starts_with(LUA_SIGNATURE)) {
    error = absl::StrCat(chunk_name.substr(1), ":1: this is compiled Lua; put the source text in its place");
    return false;
  }
  if (luaL_loadbufferx(L, source.data(), source.size(), chunk_name.c_str(), "t") != LUA_OK) {
    error = lua_tostring(L, -1);
    return false;
  }
  lua_dump(L, append_code, &code, /*strip=*/0);
  return true;
}

bool is_name_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// The names in calls of require that are written out as text.
std::vector<std::string> required_names(const std::string& source) {
  static constexpr std::string_view kRequire = "require";
  std::vector<std::string> names;
  for (size_t at = source.find(kRequire); at != std::string::npos; at = source.find(kRequire, at + 1)) {
    if (at > 0 && is_name_character(source[at - 1])) continue;
    size_t from = source.find_first_not_of(" \t", at + kRequire.size());
    if (from != std::string::npos && source[from] == '(') from = source.find_first_not_of(" \t", from + 1);
    if (from == std::string::npos || (source[from] != '"' && source[from] != '\'')) continue;
    const size_t end = source.find(source[from], from + 1);
    if (end != std::string::npos) names.push_back(source.substr(from + 1, end - from - 1));
  }
  return names;
}

std::string version_of(const std::string& source) {
  static constexpr std::string_view kVersion = "-- @version ";
  const std::string head = source.substr(0, kVersionWithin);
  const size_t at = head.find(kVersion);
  if (at == std::string::npos || (at > 0 && head[at - 1] != '\n')) return "";
  const size_t from = at + kVersion.size();
  return head.substr(from, head.find_first_of(" \t\r\n", from) - from);
}

std::string sha256(const std::string& bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

absl::StatusOr<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    if (file && std::filesystem::is_empty(path)) return std::string();
    return absl::NotFoundError(
        absl::StrCat("cannot read ", path.string(), "; check that it is a file and may be read"));
  }
  return text.str();
}

absl::StatusOr<ModuleSources> read_sources(const std::filesystem::path& directory) {
  std::error_code code;
  ModuleSources sources;
  for (const auto& entry : std::filesystem::directory_iterator(directory, code)) {
    if (entry.path().extension() != ".lua" || !entry.is_regular_file(code)) continue;
    auto text = read_file(entry.path());
    if (!text.ok()) return text.status();
    sources[entry.path().stem().string()] = *std::move(text);
  }
  if (code) {
    return absl::NotFoundError(
        absl::StrCat("cannot read the workflow directory ", directory.string(), ": ", code.message()));
  }
  return sources;
}

}  // namespace

std::shared_ptr<const Definition> compile_definition(const std::string& name, const std::string& source,
                                                     const ModuleSources& modules) {
  auto definition = std::make_shared<Definition>();
  definition->name = name;
  definition->version = version_of(source);
  // Names and lengths go into the hash, so that no two contents look alike.
  std::string content = absl::StrCat(name, ".lua ", source.size(), "\n", source);
  std::set<std::string> needed;
  std::vector<std::string> open = required_names(source);
  while (!open.empty()) {
    const std::string module = open.back();
    open.pop_back();
    const auto found = modules.find(module);
    if (found == modules.end() || !needed.insert(module).second) continue;
    for (std::string& deeper : required_names(found->second)) open.push_back(std::move(deeper));
  }
  for (const std::string& module : needed) {
    const std::string& text = modules.find(module)->second;
    absl::StrAppend(&content, "lib/", module, ".lua ", text.size(), "\n", text);
    if (!compile(absl::StrCat("@lib/", module, ".lua"), text, definition->modules[module], definition->error)) break;
  }
  definition->hash = sha256(content);
  if (definition->error.empty()) compile(absl::StrCat("@", name, ".lua"), source, definition->code, definition->error);
  return definition;
}

absl::Status Definitions::load(const std::string& directory) {
  const auto files = read_sources(directory);
  if (!files.ok()) return files.status();
  ModuleSources modules;
  const auto lib = std::filesystem::path(directory) / "lib";
  if (std::filesystem::is_directory(lib)) {
    auto read = read_sources(lib);
    if (!read.ok()) return read.status();
    modules = *std::move(read);
  }
  ByName fresh;
  for (const auto& [name, source] : *files) fresh[name] = compile_definition(name, source, modules);
  const std::lock_guard lock(mutex_);
  for (const auto& [name, definition] : fresh) known_[name][definition->hash] = definition;
  current_ = std::move(fresh);
  return absl::OkStatus();
}

void Definitions::add(std::shared_ptr<const Definition> definition) {
  const std::lock_guard lock(mutex_);
  known_[definition->name][definition->hash] = definition;
  current_[definition->name] = std::move(definition);
}

std::shared_ptr<const Definition> Definitions::current(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = current_.find(name);
  return found == current_.end() ? nullptr : found->second;
}

std::shared_ptr<const Definition> Definitions::with_hash(std::string_view name, std::string_view hash_prefix) const {
  const std::lock_guard lock(mutex_);
  const auto versions = known_.find(name);
  if (versions == known_.end()) return nullptr;
  const auto found = versions->second.lower_bound(hash_prefix);
  const bool same =
      found != versions->second.end() && std::string_view(found->first).substr(0, hash_prefix.size()) == hash_prefix;
  return same ? found->second : nullptr;
}

std::vector<std::shared_ptr<const Definition>> Definitions::all_current() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const Definition>> all;
  for (const auto& [name, definition] : current_) all.push_back(definition);
  return all;
}

const std::string* built_in_module(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> modules = [] {
    std::map<std::string, std::string, std::less<>> compiled;
    std::string error;
    // '=' names a chunk that is not the author's: places in messages pass over it.
    compile("=skald.saga", kSagaSource, compiled["skald.saga"], error);
    compile("=skald.check", kCheckSource, compiled["skald.check"], error);
    return compiled;
  }();
  const auto found = modules.find(name);
  return found == modules.end() || found->second.empty() ? nullptr : &found->second;
}

}  // namespace skald::lua
