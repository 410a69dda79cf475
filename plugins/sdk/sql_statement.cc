#include "plugins/sdk/sql_statement.h"

#include <algorithm>
#include <array>
#include <map>

namespace skald::plugin {
namespace {

// Without parameters: what is between them, one more than there are.
std::vector<std::string> pieces_of(const SqlTokens& tokens, size_t begin, size_t end) {
  std::vector<std::string> pieces(1);
  for (size_t at = begin; at < end; ++at) {
    const SqlToken& token = tokens[at];
    if (token.spaced && at != begin) pieces.back() += ' ';
    if (token.kind == SqlToken::kParameter) {
      pieces.emplace_back();
    } else {
      pieces.back() += token.kind == SqlToken::kText ? mysql_literal(token.text) : token.text;
    }
  }
  return pieces;
}

std::string filled(const std::vector<std::string>& pieces, const std::vector<Value>& parameters) {
  std::string out = pieces[0];
  for (size_t i = 1; i < pieces.size(); ++i) out += mysql_literal(parameters[i - 1]) + pieces[i];
  return out;
}

// The parameters before a place.
size_t parameters_before(const SqlTokens& tokens, size_t end) {
  size_t count = 0;
  for (size_t at = 0; at < end; ++at) count += tokens[at].kind == SqlToken::kParameter ? 1 : 0;
  return count;
}

// What the tables of a statement are called in it: by their alias, else by their name.
std::map<std::string, std::string> tables_by_alias(const SqlTokens& tokens) {
  static constexpr std::array<std::string_view, 11> kNoAlias = {"ON",  "WHERE", "JOIN",  "LEFT",  "INNER", "CROSS",
                                                                "SET", "ORDER", "GROUP", "LIMIT", "FOR"};
  std::map<std::string, std::string> found;
  for (size_t at = 0; at + 1 < tokens.size(); ++at) {
    const bool before_table = tokens.is(at, "FROM") || tokens.is(at, "JOIN") || (at == 0 && tokens.is(at, "UPDATE"));
    if (!before_table || !tokens.is(at + 1, SqlToken::kWord)) continue;
    const std::string& table = tokens[at + 1].text;
    const size_t alias = at + (tokens.is(at + 2, "AS") ? 3 : 2);
    const bool has_alias = tokens.is(alias, SqlToken::kWord) &&
                           std::find(kNoAlias.begin(), kNoAlias.end(), tokens[alias].name) == kNoAlias.end();
    found[has_alias ? tokens[alias].text : table] = table;
  }
  return found;
}

}  // namespace

std::string mysql_literal(const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  const auto& text = std::get<std::string>(value);
  std::string out = "'";
  out.reserve(text.size() + 2);
  for (const char c : text) {
    if (c == 0) {
      out += "\\0";
    } else {
      if (c == '\\' || c == '\'') out += '\\';
      out += c;
    }
  }
  return out + "'";
}

SqlStatement::SqlStatement(std::string_view sql) {
  SqlTokens tokens(sql);
  for (size_t at = 0; at < tokens.size(); ++at) {
    if (tokens[at].kind == SqlToken::kWord) words_.push_back(tokens[at].text);
  }
  std::sort(words_.begin(), words_.end());
  reads_ = tokens.is(0, "SELECT");
  defines_ = tokens.is(0, "CREATE") || tokens.is(0, "DROP") || tokens.is(0, "ALTER");
  if (defines_) translate_definition(tokens);
  pieces_ = pieces_of(tokens, 0, tokens.size());
  if (defines_) return;
  read_insert(tokens);
  read_conditions(tokens);
  read_lookup(tokens);
}

bool SqlStatement::names(std::string_view table) const {
  return std::binary_search(words_.begin(), words_.end(), table, std::less<>());
}

// Texts are compared byte by byte, as SQLite does: for MySQL's collations 'a' and 'a ' are the same.
void SqlStatement::translate_definition(SqlTokens& tokens) {
  const size_t index = tokens.is(1, "UNIQUE") ? 2 : 1;
  if (tokens.starts(index, {"INDEX", "IF", "NOT", "EXISTS"}) && tokens.is(index + 5, "ON") &&
      tokens.is(index + 6, SqlToken::kWord)) {
    index_ = tokens[index + 4].text;
    index_table_ = tokens[index + 6].text;
    tokens.erase(index + 1, index + 4);
  }
  if (!tokens.starts(0, {"CREATE", "TABLE"}) && !tokens.starts(0, {"ALTER", "TABLE"})) return;
  if (const size_t end = tokens.find("WITHOUT"); tokens.is(end + 1, "ROWID")) tokens.erase(end, end + 2);
  for (size_t at = 0; at < tokens.size(); ++at) {
    if (tokens[at].kind != SqlToken::kWord) continue;
    if (tokens.is(at, "VARCHAR")) tokens.replace(at, "VARBINARY");
    if (tokens.is(at, "TEXT")) tokens.replace(at, "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    if (tokens.is(at, "INTEGER")) tokens.replace(at, "BIGINT");
  }
}

// INSERT INTO table (column, ...) VALUES (value, ...), where the columns may be left out.
void SqlStatement::read_insert(const SqlTokens& tokens) {
  const size_t values = tokens.find("VALUES");
  if (!tokens.starts(0, {"INSERT", "INTO"}) || !tokens.is(2, SqlToken::kWord) || !tokens.is(values + 1, "(")) return;
  std::vector<std::string> columns;
  for (size_t at = 4; at < values; at += 2) columns.push_back(tokens[at].text);
  std::vector<Cell> cells;
  size_t at = values + 2, parameter = 0;
  for (;; at += 2) {
    Cell cell{cells.size() < columns.size() ? columns[cells.size()] : "", {}, {}};
    const bool negative = tokens.is(at, "-");
    at += negative ? 1 : 0;
    if (tokens.is(at, SqlToken::kParameter) && !negative) {
      cell.parameter = parameter++;
    } else if (tokens.is(at, SqlToken::kText) && !negative) {
      cell.literal = tokens[at].text;
    } else if (tokens.is(at, SqlToken::kNumber) && tokens[at].text.size() < 18) {
      cell.literal = (negative ? -1 : 1) * static_cast<int64_t>(std::stoll(tokens[at].text));
    } else {
      return;
    }
    cells.push_back(std::move(cell));
    if (!tokens.is(at + 1, ",")) break;
  }
  if (!tokens.is(at + 1, ")") || at + 2 != tokens.size()) return;
  inserts_into_ = tokens[2].text;
  cells_ = std::move(cells);
  insert_head_ = pieces_of(tokens, 0, values + 1)[0] + ' ';
  row_pieces_ = pieces_of(tokens, values + 1, tokens.size());
}

// Of one SELECT, UPDATE or DELETE whose conditions are joined by AND alone.
void SqlStatement::read_conditions(const SqlTokens& tokens) {
  const size_t where = tokens.find("WHERE");
  const size_t from = tokens.find("FROM");
  const size_t more = tokens.find(",", std::min(from, where));
  if (where == tokens.size() || tokens.count("SELECT") > 1 || tokens.count("UNION") > 0) return;
  if (from < where && more < where) return;
  size_t end = tokens.size();
  for (const char* word : {"GROUP", "ORDER", "LIMIT", "FOR"}) end = std::min(end, tokens.find(word, where));
  for (const char* word : {"OR", "NOT", "BETWEEN", "XOR", "|", "!"}) {
    if (tokens.find(word, where) < end) return;
  }
  for (size_t begin = where + 1; begin < end;) {
    const size_t next = std::min(tokens.find("AND", begin), end);
    read_condition(tokens, begin, next, where);
    begin = next + 1;
  }
}

void SqlStatement::read_condition(const SqlTokens& tokens, size_t begin, size_t end, size_t where) {
  const auto tables = tables_by_alias(tokens);
  const bool qualified = tokens.is(begin + 1, ".");
  const size_t column = begin + (qualified ? 2 : 0);
  if (!tokens.is(begin, SqlToken::kWord) || !tokens.is(column, SqlToken::kWord) || !tokens.is(column + 1, "=") ||
      !tokens.is(column + 2, SqlToken::kParameter) || column + 3 != end)
    return;
  const auto table = qualified ? tables.find(tokens[begin].text) : tables.begin();
  if (table == tables.end() || (!qualified && tables.size() != 1)) return;
  // An update may put a row where another one is looked for.
  for (size_t at = 0; tokens.is(0, "UPDATE") && at < where; ++at) {
    if (tokens[at].text == tokens[column].text) return;
  }
  equalities_.push_back({table->second, tokens[column].text, parameters_before(tokens, column)});
}

void SqlStatement::read_lookup(const SqlTokens& tokens) {
  const size_t from = tokens.find("FROM");
  if (!reads_ || equalities_.size() != 1 || parameters() != 1 || from + 6 != tokens.size()) return;
  for (size_t at = 0; at < from; ++at) {
    for (const char* name : {"(", "*", "DISTINCT", "."}) {
      if (tokens.is(at, name)) return;
    }
  }
  lookup_ = pieces_of(tokens, 0, from)[0] + ", " + equalities_[0].column + " FROM " + equalities_[0].table + " WHERE " +
            equalities_[0].column + " IN (";
}

std::string SqlStatement::text(const std::vector<Value>& parameters) const { return filled(pieces_, parameters); }

std::string SqlStatement::row_text(const std::vector<Value>& parameters) const {
  return filled(row_pieces_, parameters);
}

std::string SqlStatement::lookup_text(const std::vector<std::string>& keys) const {
  std::string out = lookup_;
  for (const std::string& key : keys) {
    if (&key != &keys.front()) out += ',';
    out += mysql_literal(key);
  }
  return out + ')';
}

}  // namespace skald::plugin
