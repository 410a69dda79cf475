#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/sdk/effect_store.h"
#include "plugins/sdk/sql_tokens.h"

namespace skald::plugin {

// One statement of a plugin's dialect, read as far as is needed to send it to MySQL in few round trips. What it does
// not understand it takes for the worst case. Immutable.
class SqlStatement {
 public:
  explicit SqlStatement(std::string_view sql);

  // `column = ?` that every row the statement touches in `table` fulfils.
  struct Equality {
    std::string table, column;
    size_t parameter;
  };
  // One column of INSERT INTO table (...) VALUES (...): a parameter, or a literal.
  struct Cell {
    std::string column;
    std::optional<size_t> parameter;
    Value literal;
  };

  bool reads() const { return reads_; }      // SELECT
  bool defines() const { return defines_; }  // CREATE, DROP, ALTER: MySQL commits before it
  bool names(std::string_view table) const;  // whether the table's name occurs in it
  size_t parameters() const { return pieces_.size() - 1; }
  const std::vector<Equality>& equalities() const { return equalities_; }

  // INSERT INTO `table` of one row of parameters and literals: several become one statement. Else empty.
  const std::string& inserts_into() const { return inserts_into_; }
  const std::vector<Cell>& cells() const { return cells_; }

  // SELECT of plain columns of one table WHERE `column` = ?, and nothing else: several become one statement.
  bool is_lookup() const { return !lookup_.empty(); }

  // MySQL's text, with the parameters in it. There must be as many as parameters().
  std::string text(const std::vector<Value>& parameters) const;
  // The insertion of several rows: insert_head() row_text(), row_text() ...
  const std::string& insert_head() const { return insert_head_; }
  std::string row_text(const std::vector<Value>& parameters) const;
  // The lookup of several keys; each row's key is its last column.
  std::string lookup_text(const std::vector<std::string>& keys) const;

  // CREATE INDEX IF NOT EXISTS `index` ON `table`: MySQL has no such statement. text() is without the condition.
  const std::string& index() const { return index_; }
  const std::string& index_table() const { return index_table_; }

 private:
  void translate_definition(SqlTokens& tokens);
  void read_insert(const SqlTokens& tokens);
  void read_conditions(const SqlTokens& tokens);
  void read_condition(const SqlTokens& tokens, size_t begin, size_t end, size_t where);
  void read_lookup(const SqlTokens& tokens);

  bool reads_ = false, defines_ = false;
  std::vector<std::string> pieces_;  // of the text, between the parameters
  std::vector<std::string> words_;   // sorted
  std::vector<Equality> equalities_;
  std::string inserts_into_, insert_head_, lookup_, index_, index_table_;
  std::vector<std::string> row_pieces_;
  std::vector<Cell> cells_;
};

// A literal of MySQL, in a session without NO_BACKSLASH_ESCAPES.
std::string mysql_literal(const Value& value);

}  // namespace skald::plugin
