#include "plugins/tools/scaffold.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

namespace skald::plugins {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestName = 64;
constexpr char kTemplate[] = "plugins/tools/template";
constexpr char kKit[] = "plugins/sdk/plugin.h";

bool is_keyword(const std::string& name) {
  static constexpr const char* kReserved[] = {
      "and",  "break", "do",    "else",  "elseif", "end",    "false",  "for",  "function", "goto",    "if",
      "in",   "local", "nil",   "not",   "or",     "repeat", "return", "saga", "skald",    "test",    "then",
      "true", "until", "while", "order", "item",   "wish",   "number", "all",  "clean",    "install", "help"};
  return std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
}

// It becomes a name in Lua, in CMake and, with a capital, in C++.
absl::Status check_name(const std::string& name) {
  const bool good = !name.empty() && name.size() <= kLongestName && absl::ascii_islower(name[0]) &&
                    std::all_of(name.begin(), name.end(), [](unsigned char c) {
                      return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
                    });
  if (!good) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name, "' is no name for a plugin: take lower-case letters, digits and _, a letter first"));
  }
  if (is_keyword(name))
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' has a meaning of its own already: take another name"));
  return absl::OkStatus();
}

std::string class_name(const std::string& name) {
  std::string out;
  bool capital = true;
  for (const char c : name) {
    if (c == '_') {
      capital = true;
      continue;
    }
    out += capital ? absl::ascii_toupper(static_cast<unsigned char>(c)) : c;
    capital = false;
  }
  return out;
}

absl::StatusOr<std::string> contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.good() && !in.eof()) return absl::NotFoundError(absl::StrCat("cannot read ", file.string()));
  return text;
}

absl::Status write(const fs::path& file, const std::string& text) {
  std::error_code code;
  fs::create_directories(file.parent_path(), code);
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  return out ? absl::OkStatus() : absl::UnavailableError(absl::StrCat("cannot write ", file.string()));
}

}  // namespace

absl::StatusOr<fs::path> find_tree(const std::string& given) {
  fs::path tree = given;
  std::error_code code;
  if (tree.empty()) {
    for (fs::path up = fs::read_symlink("/proc/self/exe", code).parent_path(); up != up.root_path() && !up.empty();
         up = up.parent_path()) {
      if (!fs::exists(up / kKit, code)) continue;
      tree = up;
      break;
    }
  }
  if (tree.empty())
    return absl::NotFoundError("Skald's source tree is not around this binary: name it with --skald DIR");
  tree = fs::absolute(tree).lexically_normal();
  if (!fs::exists(tree / kKit, code) || !fs::exists(tree / kTemplate, code))
    return absl::NotFoundError(absl::StrCat(tree.string(), " is not Skald's source tree: there is no ", kKit));
  return tree;
}

absl::StatusOr<std::vector<std::string>> scaffold(const ScaffoldOptions& options) {
  if (auto status = check_name(options.name); !status.ok()) return status;
  std::error_code code;
  if (fs::exists(options.folder, code) && !fs::is_empty(options.folder, code)) {
    return absl::AlreadyExistsError(absl::StrCat(options.folder.string(),
                                                 " is there already, and not empty: nothing was "
                                                 "written; name another folder with --dir"));
  }
  const std::string name = options.name, build = options.build.string();
  const std::vector<std::pair<std::string, std::string>> words = {
      {"@name@", name},
      {"@Name@", class_name(name)},
      {"@NAME@", absl::AsciiStrToUpper(name)},
      {"@skald@", options.tree.string()},
      {"@build@", build},
      {"@skald_binary@", (options.build / "skald").string()}};
  const std::vector<std::pair<std::string, std::string>> files = {
      {"plugin.cc", absl::StrCat(name, ".cc")},
      {"plugin_test.cc", absl::StrCat(name, "_test.cc")},
      {"CMakeLists.txt", "CMakeLists.txt"},
      {"README.md", "README.md"},
      {"plugins/plugin.json", absl::StrCat("plugins/", name, ".json")},
      {"workflows/plugin.lua", absl::StrCat("workflows/", name, ".lua")}};
  std::vector<std::string> written;
  for (const auto& [from, to] : files) {
    const auto text = contents(options.tree / kTemplate / from);
    if (!text.ok()) return text.status();
    if (auto status = write(options.folder / to, absl::StrReplaceAll(*text, words)); !status.ok()) return status;
    written.push_back(to);
  }
  return written;
}

}  // namespace skald::plugins
