#include "plugins/host/config_lines.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/str_split.h>
#include <nlohmann/json.hpp>

namespace skald::plugins {
namespace {

constexpr int kDeepest = 64;

bool all_digits(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

// Walks through a text that is known to be JSON.
class LineScanner {
 public:
  LineScanner(std::string_view text, ConfigLines& out) : text_(text), out_(out) {}

  void value(const std::string& pointer, int depth) {
    skip_space();
    out_.lines_.emplace(pointer, line_);
    if (depth > kDeepest) {
      out_.problems_.push_back({line_, pointer, absl::StrCat("lies deeper than ", kDeepest, " levels")});
      at_ = text_.size();
    } else if (peek() == '{') {
      object(pointer, depth);
    } else if (peek() == '[') {
      array(pointer, depth);
    } else if (peek() == '"') {
      string();
    } else {
      while (at_ < text_.size() && std::string_view(",]} \t\r\n/").find(text_[at_]) == std::string_view::npos) ++at_;
    }
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void step() {
    if (peek() == '\n') ++line_;
    ++at_;
  }

  void skip_space() {
    while (at_ < text_.size()) {
      if (text_.substr(at_, 2) == "//") {
        while (at_ < text_.size() && peek() != '\n') step();
      } else if (text_.substr(at_, 2) == "/*") {
        while (at_ < text_.size() && text_.substr(at_, 2) != "*/") step();
        at_ += 2;
      } else if (std::string_view(" \t\r\n\xEF\xBB\xBF").find(peek()) != std::string_view::npos) {
        step();
      } else {
        return;
      }
    }
  }

  std::string string() {
    const size_t begin = at_++;
    while (at_ < text_.size() && peek() != '"') at_ += peek() == '\\' ? 2 : 1;
    ++at_;
    const auto decoded = nlohmann::json::parse(text_.substr(begin, at_ - begin), nullptr, false);
    return decoded.is_string() ? decoded.get<std::string>() : "";
  }

  void object(const std::string& pointer, int depth) {
    ++at_;
    for (skip_space(); at_ < text_.size() && peek() != '}'; skip_space()) {
      const int line = line_;
      const std::string member = absl::StrCat(pointer, "/", pointer_token(string()));
      if (!out_.lines_.emplace(member, line).second) {
        out_.problems_.push_back(
            {line, member, absl::StrCat("is there twice, in line ", out_.lines_[member], " already: leave one")});
      }
      skip_space();
      ++at_;  // the colon
      value(member, depth + 1);
      skip_space();
      if (peek() == ',') ++at_;
    }
    ++at_;
  }

  void array(const std::string& pointer, int depth) {
    ++at_;
    skip_space();
    for (size_t i = 0; at_ < text_.size() && peek() != ']'; skip_space(), ++i) {
      value(absl::StrCat(pointer, "/", i), depth + 1);
      skip_space();
      if (peek() == ',') ++at_;
    }
    ++at_;
  }

  std::string_view text_;
  ConfigLines& out_;
  size_t at_ = 0;
  int line_ = 1;
};

ConfigLines::ConfigLines(std::string_view text) { LineScanner(text, *this).value("", 0); }

int ConfigLines::line(const std::string& pointer) const {
  for (std::string nearest = pointer;; nearest.erase(nearest.rfind('/'))) {
    if (const auto found = lines_.find(nearest); found != lines_.end()) return found->second;
    if (nearest.find('/') == std::string::npos) return 1;
  }
}

int line_at(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, byte);
  return 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
}

std::string pointer_token(const std::string& key) { return absl::StrReplaceAll(key, {{"~", "~0"}, {"/", "~1"}}); }

std::string key_path(const std::string& pointer) {
  std::string path;
  if (pointer.empty()) return path;
  const std::vector<std::string> tokens = absl::StrSplit(pointer.substr(1), '/');
  for (const std::string& token : tokens) {
    const std::string key = absl::StrReplaceAll(absl::StrReplaceAll(token, {{"~1", "/"}}), {{"~0", "~"}});
    if (all_digits(key)) {
      absl::StrAppend(&path, "[", key, "]");
    } else {
      absl::StrAppend(&path, path.empty() ? "" : ".", key);
    }
  }
  return path;
}

}  // namespace skald::plugins
