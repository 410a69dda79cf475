#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skald::plugin {

struct SqlToken {
  enum Kind { kWord, kNumber, kText, kParameter, kSymbol };
  Kind kind;
  std::string text;  // as it is written; a kText's contents
  std::string name;  // a word in capitals; a kText has none; else the text
  bool spaced;       // there is white space before it
};

// A statement's tokens. Comments and quoted identifiers are not of the dialect: they become symbols.
class SqlTokens {
 public:
  explicit SqlTokens(std::string_view sql);

  size_t size() const { return tokens_.size(); }
  const SqlToken& operator[](size_t at) const { return tokens_[at]; }
  // Whether the token there is this word or symbol; false beyond the end.
  bool is(size_t at, std::string_view name) const { return at < size() && tokens_[at].name == name; }
  bool is(size_t at, SqlToken::Kind kind) const { return at < size() && tokens_[at].kind == kind; }
  bool starts(size_t at, std::initializer_list<std::string_view> names) const;
  size_t count(std::string_view name) const;
  // The first at or after `from` that is this and not in parentheses; size() if there is none.
  size_t find(std::string_view name, size_t from = 0) const;
  void erase(size_t begin, size_t end);
  void replace(size_t at, std::string text) { tokens_[at].text = std::move(text); }

 private:
  std::vector<SqlToken> tokens_;
};

}  // namespace skald::plugin
