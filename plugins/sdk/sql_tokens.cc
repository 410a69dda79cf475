#include "plugins/sdk/sql_tokens.h"

#include <algorithm>
#include <cctype>

namespace skald::plugin {
namespace {

bool in_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

std::string capitals(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

// From a quote to behind the quote that ends it.
std::string read_text(std::string_view sql, size_t& at) {
  std::string text;
  for (++at; at < sql.size(); ++at) {
    if (sql[at] == '\'') {
      if (at + 1 == sql.size() || sql[at + 1] != '\'') break;
      ++at;
    }
    text += sql[at];
  }
  ++at;
  return text;
}

}  // namespace

SqlTokens::SqlTokens(std::string_view sql) {
  bool spaced = false;
  for (size_t at = 0; at < sql.size();) {
    const size_t begin = at;
    const char c = sql[at];
    if (std::isspace(static_cast<unsigned char>(c))) {
      spaced = true;
      ++at;
      continue;
    }
    if (c == '\'') {
      tokens_.push_back({SqlToken::kText, read_text(sql, at), "", spaced});
    } else if (in_word(c)) {
      while (at < sql.size() && in_word(sql[at])) ++at;
      const std::string text(sql.substr(begin, at - begin));
      const bool number = std::all_of(text.begin(), text.end(), [](unsigned char d) { return std::isdigit(d); });
      tokens_.push_back({number ? SqlToken::kNumber : SqlToken::kWord, text, capitals(text), spaced});
    } else {
      const std::string text(1, c);
      tokens_.push_back({c == '?' ? SqlToken::kParameter : SqlToken::kSymbol, text, text, spaced});
      ++at;
    }
    spaced = false;
  }
}

bool SqlTokens::starts(size_t at, std::initializer_list<std::string_view> names) const {
  for (const std::string_view name : names) {
    if (!is(at++, name)) return false;
  }
  return true;
}

size_t SqlTokens::count(std::string_view name) const {
  return static_cast<size_t>(
      std::count_if(tokens_.begin(), tokens_.end(), [&](const SqlToken& token) { return token.name == name; }));
}

size_t SqlTokens::find(std::string_view name, size_t from) const {
  int depth = 0;
  for (size_t at = from; at < size(); ++at) {
    if (depth == 0 && is(at, name)) return at;
    if (is(at, "(")) ++depth;
    if (is(at, ")")) --depth;
  }
  return size();
}

void SqlTokens::erase(size_t begin, size_t end) {
  const auto first = tokens_.begin();
  tokens_.erase(first + static_cast<std::ptrdiff_t>(begin), first + static_cast<std::ptrdiff_t>(end));
}

}  // namespace skald::plugin
